/* Posts the list's search: what is searched for is a number, and addresses are kept in
   the logs of servers. Without this script the search is Django's own. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const input = document.querySelector("form input[name=q]:not([type=hidden])");
    const token = document.querySelector("input[name=csrfmiddlewaretoken]");
    if (input && token) {
        input.form.method = "post";
        input.form.append(token.cloneNode());
    }
});
