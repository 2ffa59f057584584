/* Says that a long form is on its way, and lets it go once only. */
"use strict";

(function () {
    function start() {
        for (const form of document.querySelectorAll("form[data-busy]")) {
            const sign = document.getElementById(form.dataset.busy);
            form.addEventListener("submit", (event) => {
                if (!sign.hidden) {
                    event.preventDefault();
                }
                sign.hidden = false;
            });
            // Somebody who comes back finds the page as they left it.
            window.addEventListener("pageshow", () => { sign.hidden = true; });
        }
    }

    document.addEventListener("DOMContentLoaded", start);
})();
