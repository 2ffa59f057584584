/* Django's script counts the ticked rows of a list in Latin digits: in Persian ones where
   the page has those. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const total = document.querySelector(".paginator");
    if (!total || !/[۰-۹]/.test(total.textContent)) {
        return;
    }
    function speak(counter) {
        const spoken = counter.textContent.replace(/\d/g, (digit) => "۰۱۲۳۴۵۶۷۸۹"[digit]);
        if (spoken !== counter.textContent) {
            counter.textContent = spoken;
        }
    }
    for (const counter of document.querySelectorAll(".action-counter")) {
        speak(counter);
        new MutationObserver(() => speak(counter)).observe(counter, {childList: true});
    }
});
