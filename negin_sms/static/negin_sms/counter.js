/* Shows the length of a text below its field, from the first key on. */
"use strict";

(function () {
    const MOST_NAMED = 12;
    const INVISIBLE = /[\p{C}\p{M}\p{Z}]/u;
    const FROM_RIGHT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/;

    function nameOf(character) {
        if (!INVISIBLE.test(character)) {
            return character;
        }
        const code = character.codePointAt(0).toString(16).toUpperCase();
        return "U+" + code.padStart(4, "0");
    }

    function nameAll(place, characters) {
        const names = characters.slice(0, MOST_NAMED).map((character) => {
            const name = document.createElement("bdi");
            name.textContent = nameOf(character);
            return name;
        });
        if (characters.length > MOST_NAMED) {
            names.push("…");
        }
        place.replaceChildren(...names);
    }

    /* As dir="auto", but the name of a placeholder in front does not decide. */
    function directionOf(text) {
        const first = text.replace(/\{[^{}]*\}/g, "").match(/\p{L}/u);
        if (!first) {
            return "auto";
        }
        return FROM_RIGHT.test(first[0]) ? "rtl" : "ltr";
    }

    function shown(value, digits, useGrouping) {
        const isNumber = typeof value === "number" && (digits || useGrouping);
        return isNumber ? value.toLocaleString(digits || "en", {useGrouping}) : value;
    }

    /* A box that cannot be ticked now shows no tick; it comes back with the box. */
    function rest(box, rests) {
        box.disabled = rests;
        if (rests) {
            box.dataset.ticked = box.checked;
        }
        box.checked = !rests && box.dataset.ticked === "true";
    }

    /* What the form says of the account and the line that the text leaves by. */
    function wayOf(counter, form) {
        const accounts = JSON.parse(counter.dataset.accounts || "{}");
        const value = (name) => new FormData(form).get(name) || "";
        const account = accounts[value("account")] || Object.values(accounts)[0];
        if (!account) {
            return {footer: "", prices: null};
        }
        const box = form.elements.footer;
        if (box && box.disabled === Boolean(account.footer)) {
            rest(box, !account.footer);
        }
        const hasNone = value("scenario") === "service_line";
        const line = hasNone ? "" : neginSms.latin(value("line").trim()) || account.line;
        return {
            footer: value("footer") && !value("sensitive") ? account.footer : "",
            prices: account.prices[line] || account.prices["*"],
        };
    }

    function show(counter, written, form) {
        const {footer, prices} = wayOf(counter, form);
        const text = written && footer ? neginSms.withFooter(written, footer) : written;
        const length = neginSms.measure(text);
        counter.querySelector(".negin-sms-price").hidden = !prices;
        if (prices) {
            const price = prices[length.encoding === "GSM-7" ? 1 : 0];
            length.rials = Math.round(length.parts * price);
        }
        for (const place of counter.querySelectorAll("[data-count]")) {
            const name = place.dataset.count;
            if (name === "encoding") {
                const isLatin = length.encoding === "GSM-7";
                place.textContent = place.dataset[isLatin ? "latin" : "unicode"];
                continue;
            }
            place.textContent = shown(
                length[name], counter.dataset.digits, name === "rials"
            );
        }
        const costly = counter.querySelector(".negin-sms-forcing");
        costly.hidden = length.costly.length === 0;
        nameAll(costly.querySelector("[data-names]"), length.costly);
        counter.querySelector(".negin-sms-unfilled").hidden = !text.includes("{");
        counter.hidden = false;
    }

    function start() {
        for (const counter of document.querySelectorAll(".negin-sms-counter")) {
            const field = document.getElementById(counter.dataset.counts);
            const update = () => {
                field.dir = directionOf(field.value);
                show(counter, field.value, field.form);
            };
            field.addEventListener("input", update);
            // The account, the line and the box of the footer.
            field.form.addEventListener("change", update);
            // The browser may fill the field again when somebody comes back.
            window.addEventListener("pageshow", update);
            update();
        }
    }

    document.addEventListener("DOMContentLoaded", start);
})();
