/* Shows the fields that the chosen scenario uses. The others are disabled, so that what
   was typed into them is not sent along; without this script the server refuses them. */
"use strict";

(function () {
    const FIELDS = ["line", "line2", "template"];

    function update(form) {
        const chosen = form.querySelector("input[data-uses]:checked");
        const used = chosen ? chosen.dataset.uses.split(" ") : FIELDS;
        for (const name of FIELDS) {
            const input = form.elements[name];
            input.disabled = !used.includes(name);
            // Themes have rows of their own.
            const row = input.closest(".form-row, .form-group, .negin-sms-field");
            (row || input).hidden = input.disabled;
        }
    }

    function start() {
        for (const form of document.querySelectorAll("form:has(input[data-uses])")) {
            form.addEventListener("change", () => update(form));
            window.addEventListener("pageshow", () => update(form));
            update(form);
        }
    }

    document.addEventListener("DOMContentLoaded", start);
})();
