// The functions of scripts, over those of `native`, which are in Rust. The value is the function that starts a script.
(native, isPolicy, run) => {
    "use strict";
    const callbacks = [];
    const ends = [];
    let current = null;

    const isFunction = (value) => typeof value === "function";
    const text = (value, what) => {
        if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
        throw new TypeError(`${what} must be text, and is ${value === null ? "null" : typeof value}`);
    };
    const call = (callback, argument) => {
        const answer = callback(argument);
        if (answer !== null && typeof answer === "object" && isFunction(answer.then)) {
            throw new TypeError("a callback must not be async: there is nothing to wait for");
        }
    };

    // Names and values on alternating lines.
    const pairs = (lines) => {
        const parts = lines.split("\n");
        const found = {};
        for (let at = 0; at + 1 < parts.length; at += 2) found[parts[at]] = parts[at + 1];
        return found;
    };

    class Item {
        #headers;
        constructor(key, size, target, headers) {
            this.key = key;
            this.size = size;
            this.target = target;
            this.head = "";
            this.#headers = headers;
        }
        get headers() {
            if (typeof this.#headers === "string") this.#headers = Object.freeze(pairs(this.#headers));
            return this.#headers;
        }
        get type() {
            return this.headers["content-type"];
        }
    }

    class SiteObject extends Item {
        #metadata;
        constructor(key, size, target, headers, metadata) {
            super(key, size, target, headers);
            this.#metadata = metadata;
        }
        get metadata() {
            if (typeof this.#metadata === "string") this.#metadata = Object.freeze(pairs(this.#metadata));
            return this.#metadata;
        }
        #edit(operation, name, value, reason) {
            if (this !== current) throw new Error(`edit ${this.key} in the callback of each that gets it`);
            native.edit(operation, name, value, reason === undefined ? "" : text(reason, "the reason"));
        }
        exclude(reason) {
            this.#edit("exclude", "", "", reason);
        }
        rename(key, reason) {
            this.#edit("rename", text(key, "the new key"), "", reason);
        }
        redirect(target, reason) {
            this.#edit("redirect", text(target, "the target"), "", reason);
        }
        header(name, value, reason) {
            name = text(name, "the name of a header").toLowerCase();
            if (value === null) this.#edit("remove-header", name, "", reason);
            else this.#edit("set-header", name, text(value, `the value of ${name}`), reason);
        }
        meta(name, value, reason) {
            name = text(name, "the name of metadata").toLowerCase();
            if (value === null) this.#edit("remove-metadata", name, "", reason);
            else this.#edit("set-metadata", name, text(value, `the value of ${name}`), reason);
        }
    }

    class SiteChange extends Item {
        constructor(key, size, target, headers, kind, reason) {
            super(key, size, target, headers);
            this.kind = kind;
            this.reason = reason;
        }
    }

    const define = (name, value) =>
        Object.defineProperty(globalThis, name, { value, enumerable: true, writable: false, configurable: false });

    // each(callback), each(patterns, callback), each(patterns, { head: bytes }, callback)
    define("each", (...given) => {
        const callback = given.pop();
        if (!isFunction(callback)) throw new TypeError("the last argument of each must be a function");
        let patterns = [];
        if (typeof given[0] === "string") patterns = [given.shift()];
        else if (Array.isArray(given[0])) patterns = given.shift().map((pattern) => text(pattern, "a pattern"));
        const { head = 0, ...unknown } = given.shift() ?? {};
        if (given.length > 0) throw new TypeError("each takes patterns, options and a function");
        const names = Object.keys(unknown);
        if (names.length > 0) throw new TypeError(`each has no option ${names[0]}; it has head`);
        if (!Number.isInteger(head) || head < 0 || head > native.maxHead) {
            throw new RangeError(`head must be 0 to ${native.maxHead} bytes`);
        }
        native.rule(patterns, head, new Error().stack);
        callbacks.push(callback);
    });
    define("last", (callback) => {
        if (!isFunction(callback)) throw new TypeError("the argument of last must be a function");
        ends.push(callback);
    });
    define("settings", (defaults = {}) => {
        if (defaults === null || typeof defaults !== "object") throw new TypeError("settings takes an object of defaults");
        return JSON.parse(native.settings(JSON.stringify(defaults)));
    });
    define("invalid", (name, message) => native.invalid(text(name, "the name"), text(message, "the message")));
    define("fail", (message, key) => native.fail(text(message, "the message"), key === undefined ? "" : text(key, "the key")));
    define("finding", (message, { code = "script", severity = "warning", key = "" } = {}) =>
        native.finding(text(message, "the message"), text(code, "the code"), text(severity, "the severity"), text(key, "the key")),
    );
    define("matches", (pattern, key) => native.matches(text(pattern, "the pattern"), text(key, "the key")));
    define("run", Object.freeze(JSON.parse(run)));
    if (isPolicy) {
        const judge = (verdict, severity) => (message, { code = verdict, key = "" } = {}) => {
            native.judge(verdict);
            finding(message, { code, severity, key });
        };
        define("deny", judge("deny", "error"));
        define("hold", judge("hold", "warning"));
    }

    const logger = (level) => (...values) => native.log(level, values.map(String).join(" "));
    define("console", Object.freeze({
        debug: logger("debug"), log: logger("info"), info: logger("info"), warn: logger("warn"), error: logger("error"),
    }));
    define("print", logger("info"));

    // The only clock is the time of the run.
    const { now } = globalThis.run;
    const SystemDate = Date;
    globalThis.Date = class Date extends SystemDate {
        constructor(...given) {
            if (given.length === 0) super(now);
            else super(...given);
        }
        static now() {
            return now;
        }
    };
    Math.random = () => {
        throw new Error("there is no randomness: equal inputs give equal answers");
    };

    return {
        // One object and one rule that matches it. `isNext` is false for further rules of the same object.
        visit: (isNext, rule, head, key, size, target, headers, one, other) => {
            if (isNext) {
                current = isPolicy
                    ? new SiteChange(key, size, target, headers, one, other)
                    : new SiteObject(key, size, target, headers, one);
            }
            current.head = head;
            call(callbacks[rule], current);
        },
        finish: () => {
            current = null;
            const site = Object.freeze({
                redirect: (key, target, reason) =>
                    native.add(text(key, "the key"), text(target, "the target"), reason === undefined ? "" : text(reason, "the reason")),
            });
            for (const end of ends) call(end, isPolicy ? globalThis.run.counts : site);
        },
    };
}
