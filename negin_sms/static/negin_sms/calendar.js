/* The Jalali calendar beside a field of dates, for mouse, keyboard and screen reader.
   It fills the field with what somebody could have typed; the server reads it. The
   vendor's calendar draws plain boxes: here they become buttons in a dialog, moved
   through with the arrow keys. */
"use strict";

(function () {
    const FIELD = "[data-negin-sms-jalali]";
    const BUTTONS = ".jdp-icon-plus, .jdp-icon-minus, .jdp-btn-today, .jdp-btn-empty, .jdp-btn-close";
    const DAYS = ".jdp-day:not(.not-in-month):not(.disabled-day)";
    const STEPS = {ArrowLeft: 1, ArrowRight: -1, ArrowUp: -7, ArrowDown: 7};
    // As the report allows, and as far as anybody schedules: the years to choose from.
    const FIRST_DAY = {year: 1379, month: 1, day: 1};
    const LAST_DAY = {year: 1449, month: 12, day: 29};
    const TIME = /(\d{1,2}):(\d{1,2})(?::\d{1,2})?/;
    const MONTHS = "فروردین|اردیبهشت|خرداد|تیر|مرداد|شهریور|مهر|آبان|آذر|دی|بهمن|اسفند".split("|");
    const DIGITS = "۰۱۲۳۴۵۶۷۸۹";
    const VALUE = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
    let opener = null;
    let lent = null;
    let words = {};

    function namesOf(field) {
        const [calendar, year, month, hour, minute, nextYear, lastYear, nextMonth, lastMonth] =
            field.dataset.words.split("|");
        return {calendar, year, month, hour, minute, nextYear, lastYear, nextMonth, lastMonth};
    }

    /* Persian and Arabic digits as 0 to 9; their codes end alike. */
    function latin(text) {
        return text.replace(/[\u0660-\u0669\u06F0-\u06F9]/g, (digit) => digit.charCodeAt(0) & 15);
    }

    /* Year, month and day of what begins or ends with the year; [] for anything else. */
    function dayOf(written) {
        const [, year, month, day] = /^(\d{4})[/-](\d{1,2})[/-](\d{1,2})$/.exec(written) || [];
        if (year >= 1900) {
            const date = new Date(Date.UTC(year, month - 1, day));
            const parts = new Intl.DateTimeFormat("en-u-ca-persian", {
                timeZone: "UTC", year: "numeric", month: "numeric", day: "numeric",
            }).formatToParts(date);
            return ["year", "month", "day"].map((type) => parts.find((p) => p.type === type).value);
        }
        if (year) {
            return [year, month, day];
        }
        const [, first, name, last] = /^(\d{1,2})\s+(\S+)\s+(\d{4})$/.exec(written) || [];
        return MONTHS.includes(name) ? [last, String(MONTHS.indexOf(name) + 1), first] : [];
    }

    /* What a field holds, in the one spelling that the vendor reads; "" for no such day. It
       fills the calendar in, no more: the server is who reads the date. */
    function readable(written) {
        const text = latin(written).replace(/ساعت|T(?=\d)/g, " ");
        const [, hour, minute] = TIME.exec(text) || [, "0", "0"];
        const [year, ...rest] = dayOf(text.replace(TIME, " ").trim());
        const [month, day] = rest.map((part) => part.padStart(2, "0"));
        const isDay = year >= FIRST_DAY.year && year <= LAST_DAY.year
            && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60;
        const time = [hour, minute].map((part) => part.padStart(2, "0")).join(":");
        return isDay ? `${year}/${month}/${day} ${time}` : "";
    }

    function spoken(field, text) {
        return field.dataset.digits === "fa" ? text.replace(/\d/g, (digit) => DIGITS[digit]) : text;
    }

    /* The day and the minute where the site is, wherever the browser's clock is. */
    function now(field) {
        const there = new Date(Date.now() + field.dataset.utcOffset * 60000);
        const [year, month, day] = dayOf(there.toISOString().slice(0, 10)).map(Number);
        return {
            today: {year, month, day},
            initTime: {hour: there.getUTCHours(), minute: there.getUTCMinutes(), second: 0},
        };
    }

    /* While it is open the vendor reads the field again and again, and writes it: in its own
       spelling. What somebody typed stays, and what is chosen has the digits of the page. */
    function lend(field) {
        Object.defineProperty(field, "value", {
            configurable: true,
            get: () => readable(VALUE.get.call(field)),
            set: (text) => VALUE.set.call(field, spoken(field, text)),
        });
        lent = field;
    }

    function takeBack() {
        delete lent.value;
        lent = null;
    }

    function box() {
        return document.querySelector("jdp-container");
    }

    function name(element, label) {
        if (element) {
            element.setAttribute("aria-label", label);
        }
    }

    function asButton(element) {
        element.setAttribute("role", "button");
        element.tabIndex = 0;
    }

    function nameDays(container) {
        const month = container.querySelector(".jdp-month select").selectedOptions[0].text;
        const days = Array.from(container.querySelectorAll(DAYS));
        const here = days.find((day) => day.matches(".selected"))
            || days.find((day) => day.matches(".today")) || days[0];
        for (const day of days) {
            asButton(day);
            day.tabIndex = day === here ? 0 : -1;
            day.setAttribute("aria-pressed", String(day.matches(".selected")));
            name(day, `${day.textContent} ${month}`);
        }
        return here;
    }

    /* Say and reach everything that the vendor has drawn anew; return the day to be at. */
    function furnish(container) {
        container.setAttribute("role", "dialog");
        name(container, words.calendar);
        container.querySelectorAll(BUTTONS).forEach(asButton);
        for (const [part, next, last] of [
            [".jdp-years", words.nextYear, words.lastYear],
            [".jdp-months", words.nextMonth, words.lastMonth],
        ]) {
            name(container.querySelector(`${part} .jdp-icon-plus`), next);
            name(container.querySelector(`${part} .jdp-icon-minus`), last);
        }
        name(container.querySelector(".jdp-year select, .jdp-year input"), words.year);
        name(container.querySelector(".jdp-month select"), words.month);
        const [minute, hour] = container.querySelectorAll(".jdp-time select");
        name(hour, words.hour);
        name(minute, words.minute);
        container.querySelectorAll("select, input").forEach((each) => { each.tabIndex = 0; });
        return nameDays(container);
    }

    function isOpen(container) {
        return container && container.style.display !== "none"
            && container.style.visibility !== "hidden";
    }

    function close() {
        jalaliDatepicker.hide();
    }

    /* The place of a control among its like, to find it again after it was drawn anew. */
    function placeOf(element, container) {
        const kin = `${element.tagName}${Array.from(element.classList, (c) => "." + c).join("")}`;
        if (element.matches(".jdp-day")) {
            return null;
        }
        return [kin, Array.from(container.querySelectorAll(kin)).indexOf(element)];
    }

    function turn(container, step) {
        const icon = step > 0 ? ".jdp-icon-plus" : ".jdp-icon-minus";
        container.querySelector(`.jdp-months ${icon}`).click();
        const days = Array.from(container.querySelectorAll(DAYS));
        return step > 0 ? days[0] : days[days.length - 1];
    }

    function move(container, day, key) {
        const days = Array.from(container.querySelectorAll(DAYS));
        const place = days.indexOf(day);
        if (key === "Home" || key === "End") {
            return key === "Home" ? days[0] : days[days.length - 1];
        }
        if (key === "PageDown" || key === "PageUp") {
            return turn(container, key === "PageDown" ? 1 : -1);
        }
        const wanted = place + STEPS[key];
        return days[wanted] || turn(container, STEPS[key]);
    }

    /* Keep Tab inside, as in any dialog. */
    function cycle(event, container) {
        const stops = Array.from(container.querySelectorAll("[tabindex='0'], select"));
        const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
        if (document.activeElement === edge) {
            event.preventDefault();
            (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
        }
    }

    function onKey(event) {
        const container = box();
        const at = event.target;
        const isDay = at.matches(".jdp-day");
        if (event.key === "Tab") {
            cycle(event, container);
        } else if (event.key === "Escape") {
            event.preventDefault();
            close();
        } else if ((event.key === "Enter" || event.key === " ") && at.matches("[role=button]")) {
            event.preventDefault();
            at.click();
        } else if (isDay && (event.key in STEPS || /^(Home|End|Page(Up|Down))$/.test(event.key))) {
            event.preventDefault();
            const day = move(container, at, event.key);
            furnish(container);
            day.tabIndex = 0;
            day.focus();
        }
    }

    /* The vendor draws everything anew with each change: stay where somebody was. */
    function watch(container) {
        let place = null;
        container.addEventListener("keydown", onKey);
        container.addEventListener("focusin", (event) => {
            place = placeOf(event.target, container);
        });
        new MutationObserver(() => {
            if (!isOpen(container)) {
                return;
            }
            const day = furnish(container);
            if (!container.contains(document.activeElement)) {
                const same = place && container.querySelectorAll(place[0])[place[1]];
                (same || day).focus();
            }
        }).observe(container, {childList: true});
        new MutationObserver(() => {
            const isShown = isOpen(container);
            if (isShown === Boolean(lent)) {
                return;
            }
            opener.button.setAttribute("aria-expanded", String(isShown));
            if (isShown) { // the vendor shows what was closed in its first moment
                lend(opener.field);
                return;
            }
            takeBack();
            if (document.activeElement === document.body || container.contains(document.activeElement)) {
                opener.button.focus();
            }
        }).observe(container, {attributes: true, attributeFilter: ["style"]});
    }

    function open(field, button) {
        words = namesOf(field);
        const isNew = !box();
        const isMoment = field.dataset.neginSmsJalali === "moment";
        jalaliDatepicker.updateOptions({
            time: isMoment,
            minDate: isMoment ? "today" : FIRST_DAY,
            persianDigits: field.dataset.digits === "fa",
            initTime: now(field).initTime,
        });
        if (lent) {
            takeBack();
        }
        lend(field);
        jalaliDatepicker.show(field);
        const container = box();
        if (isNew) {
            watch(container);
        }
        opener = {field, button};
        button.setAttribute("aria-expanded", "true");
        furnish(container).focus({preventScroll: true});
    }

    function addButton(field) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "negin-sms-calendar";
        button.textContent = namesOf(field).calendar;
        button.setAttribute("aria-haspopup", "dialog");
        button.setAttribute("aria-expanded", "false");
        button.addEventListener("click", () => open(field, button));
        const pair = document.createElement("span");
        pair.className = "negin-sms-dated";
        field.replaceWith(pair);
        pair.append(field, button);
    }

    function start() {
        const fields = document.querySelectorAll(FIELD);
        if (!fields.length) {
            return;
        }
        jalaliDatepicker.startWatch({
            selector: FIELD,
            autoShow: false,
            autoReadOnlyInput: false,
            changeMonthRotateYear: true,
            minDate: FIRST_DAY,
            maxDate: LAST_DAY,
            hasSecond: false,
            showCloseBtn: true,
            zIndex: 10000,
            ...now(fields[0]), // the vendor asks for the day once
        });
        fields.forEach(addButton);
    }

    document.addEventListener("DOMContentLoaded", start);
})();
