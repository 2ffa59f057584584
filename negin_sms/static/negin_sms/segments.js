/* Length in parts, as the networks count it: segments.py once more, for the counter
   that runs while somebody types. tests/admin/test_browser.py compares the two. */
"use strict";

(function () {
    const BASIC = new Set(
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
        "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    );
    const EXTENDED = new Set("^{}\\[~]|€\f");
    const ENCODINGS = {
        "GSM-7": {single: 160, several: 153, width: (c) => (EXTENDED.has(c) ? 2 : 1)},
        "UCS-2": {single: 70, several: 67, width: (c) => c.length},
    };

    /* Neither an escape pair nor a surrogate pair is ever cut in two. */
    function fill(widths, capacity) {
        let parts = 1;
        let used = 0;
        for (const width of widths) {
            if (used + width > capacity) {
                parts += 1;
                used = 0;
            }
            used += width;
        }
        return {parts, left: capacity - used};
    }

    const HIDDEN = /[\u00AD\u061C\u200B\u200D-\u200F\u202A-\u202E\u2060\u2066-\u2069\uFEFF]/u;

    /* What makes a text longer than it looks: where its letters need Unicode anyway,
       only what nobody sees and what takes two units. */
    function costly(forcing) {
        const needs = (c) => /\p{L}/u.test(c) && !/\p{Script=Latin}/u.test(c);
        if (!forcing.some(needs)) {
            return forcing;
        }
        return forcing.filter((c) => HIDDEN.test(c) || c.length > 1);
    }

    /* Return encoding, characters, units, parts, the units left in the last part, and
       the characters that force Unicode and those that cost more than they show, each
       once. */
    function measure(text) {
        const all = Array.from(text);
        const forcing = all.filter((c) => !BASIC.has(c) && !EXTENDED.has(c));
        const encoding = forcing.length ? "UCS-2" : "GSM-7";
        const {single, several, width} = ENCODINGS[encoding];
        const unicode = Array.from(new Set(forcing));
        const widths = all.map(width);
        const units = widths.reduce((sum, one) => sum + one, 0);
        const filled = fill(widths, units > single ? several : single);
        return {
            encoding,
            characters: all.length,
            units,
            parts: all.length ? filled.parts : 0,
            left: filled.left,
            unicode,
            costly: costly(unicode),
        };
    }

    /* Persian and Arabic digits as 0 to 9; their codes end alike. */
    function latin(text) {
        return text.replace(/[\u06F0-\u06F9\u0660-\u0669]/g, (c) => c.charCodeAt(0) & 15);
    }

    /* As texts.fold_name: how a text is read, by whichever keyboard. */
    function fold(text) {
        const plain = text.replace(/\u200C/g, " ").normalize("NFKC");
        const letters = {"ي": "ی", "ى": "ی", "ك": "ک", "ۀ": "ه", "ة": "ه"};
        return latin(plain.replace(/[\p{Cf}\p{Mn}\u0640]/gu, ""))
            .replace(/[يىكۀة]/g, (c) => letters[c])
            .toLowerCase().split(/\s+/).filter(Boolean).join(" ");
    }

    /* texts.with_footer once more. */
    function withFooter(text, footer) {
        const read = words(footer) ? words : fold;
        return read(text).endsWith(read(footer)) ? text : text.trimEnd() + "\n" + footer;
    }

    /* As texts._words: letters and digits alone. */
    function words(text) {
        return fold(text).replace(/[^\p{L}\p{N}]/gu, "");
    }

    globalThis.neginSms = {measure, latin, withFooter};
})();
