/* Shows the fields that the chosen scenario uses. The others are disabled, so that what
   was typed into them is not sent along; without this script the server refuses them. */
"use strict";

(function () {
    const FIELDS = ["line", "line2", "template"];

    /* All that belongs to a field alone, its label too; every theme draws its own rows. */
    function rowOf(input) {
        const controls = "input:not([type=hidden]), select, textarea";
        let row = input;
        while (row.parentElement.querySelectorAll(controls).length === 1) {
            row = row.parentElement;
        }
        return row;
    }

    function update(form) {
        const chosen = form.querySelector("input[data-uses]:checked");
        const used = chosen ? chosen.dataset.uses.split(" ") : FIELDS;
        for (const name of FIELDS) {
            const input = form.elements[name];
            input.disabled = !used.includes(name);
            rowOf(input).hidden = input.disabled;
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
