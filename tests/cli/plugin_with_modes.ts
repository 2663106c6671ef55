// For the test in languages.rs: an exception at a line that the setting says. Types, comments and line breaks of every kind
// make the lines of the bundle others.
import { check, type Key } from "./lib/check";

interface Page {
    key: Key;
    size: number;
}

/* A comment
   of three
   lines. */
enum Mode {
    Top = "top",
    Last = "last",
}

declare const neverThere: { part: string };

const { mode } = settings({ mode: "" as string });

type Callback<
    T extends Page,
> = (page: T) => string;

const helper: Callback<Page> = (
    page: Page,
): string => {
    if (mode === "helper") {
        throw new TypeError("in helper"); // thrown by helper
    }
    return page.key;
};

function generic<
    T,
>(value: T): T {
    if (mode === "generic") throw new RangeError("in generic"); // thrown by generic
    return value;
}

abstract class Named {
    constructor(readonly name: string) {}

    /** Documentation. */
    abstract title(): string;
}

class Titled extends Named {
    private readonly count: number = 1;

    title(): string {
        if (mode === "class") {
            throw new Error(`${this.name} ${this.count}`); // thrown by class
        }
        return this.name;
    }
}

const text: string = `one ${mode}

two`;

if (mode === Mode.Top) throw new Error(text); // thrown by top

each(
    "**/*.html", // thrown by each
    (page) => {
        helper(page);
        generic<Page>(page);
        new Titled("é").title();
        check(mode, page.key); // thrown by imported
        const absent: Page | undefined = mode === "template" ? undefined : page;
        const made = `first
            ${absent!.key} // thrown by template
            third`;
        print(made);
        const list: string[] | undefined = mode === "member" ? undefined : [];
        print(list!.length); // thrown by member
        if (mode === "argument") {
            print(
                "one",
                neverThere.part, // thrown by argument
            );
        }
        if (mode === "chain") {
            [page.key]
                .map((key) => key.length)
                .map((length) => (length as unknown as Key).toUpperCase()) // thrown by chain
                .join();
        }
        if (mode === "callback") { throw new Error("in the callback"); } // thrown by callback
        page.exclude();
    },
);

last(() => {
    if (mode === (Mode.Last as string)) throw new Error("at last"); // thrown by last
});
