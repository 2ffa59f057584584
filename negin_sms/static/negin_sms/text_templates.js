/* Puts the text of the chosen text template into the field below. Without this script
   the server does, where that field was left empty. */
"use strict";

(function () {
    function fill(select) {
        const text = select.selectedOptions[0].dataset.text;
        const field = select.form.elements[select.dataset.fills];
        if (text !== undefined) {
            field.value = text;
            field.dispatchEvent(new Event("input", {bubbles: true}));
        }
    }

    function start() {
        for (const select of document.querySelectorAll("select[data-fills]")) {
            select.addEventListener("change", () => fill(select));
        }
    }

    document.addEventListener("DOMContentLoaded", start);
})();
