/* A browser gives in an entry of dates that is filled in by half as if it were empty, and
   empty means something here: at once. So such a form stays, as it does anywhere that has
   no "novalidate", and the browser says what is missing. */
"use strict";

// Before any other listener: nothing is on its way.
document.addEventListener("submit", (event) => {
    const half = [...event.target.elements].find((field) => field.validity?.badInput);
    if (half) {
        event.preventDefault();
        event.stopPropagation();
        half.reportValidity();
    }
}, true);
