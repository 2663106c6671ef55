// Types of the functions that Tidegate gives to scripts, for editors and for TypeScript.

/** What `each` shows of an object or of a change. */
interface TidegateItem {
    /** The key, relative to the site. */
    readonly key: string;
    /** The size of the body in bytes; 0 for a redirect. */
    readonly size: number;
    /** The target, if it is a redirect. */
    readonly target: string | null | undefined;
    /** The first bytes as text, as many as `head` of `each` asks for. */
    readonly head: string;
    /** The content type, if it has one. */
    readonly type: string | undefined;
    /** The response headers, with names in lower case. */
    readonly headers: Readonly<Record<string, string>>;
}

/** An object of a sync plugin, as it was before this plugin. */
interface TidegateObject extends TidegateItem {
    /** The user metadata, with names in lower case. */
    readonly metadata: Readonly<Record<string, string>>;
    /** Does not publish the object. */
    exclude(reason?: string): void;
    /** Publishes it with another key. */
    rename(key: string, reason?: string): void;
    /** Publishes a redirect instead: to a path that starts with `/`, or to a URL. */
    redirect(target: string, reason?: string): void;
    /** Sets a response header, or removes it with `null`. */
    header(name: string, value: string | number | boolean | null, reason?: string): void;
    /** Sets user metadata, or removes it with `null`. */
    meta(name: string, value: string | number | boolean | null, reason?: string): void;
}

/** A change of the plan that a policy reviews. */
interface TidegateChange extends TidegateItem {
    readonly kind: "create" | "update" | "headers" | "delete" | "keep";
    /** Why the plan has the change. */
    readonly reason: string;
}

interface TidegateSite {
    /** Adds a redirect with a key that no object has. */
    redirect(key: string, target: string, reason?: string): void;
}

interface TidegateEachOptions {
    /** The number of bytes to read from the start of each object, up to 65,536. */
    head?: number;
}

interface TidegateFindingOptions {
    /** A stable name for programs, in lower case with hyphens. */
    code?: string;
    severity?: "info" | "warning" | "error";
    key?: string;
}

/** The facts of the run. */
declare const run: {
    readonly site: string;
    readonly release: string;
    /** The time of the run, in milliseconds since 1970. `Date` has no other clock. */
    readonly now: number;
    readonly objects: number;
    readonly attributes: Readonly<Record<string, string>>;
    /** In policies: counts by name, such as `create`, `delete` and `site-objects`. */
    readonly counts: Readonly<Record<string, number>>;
};

/** Declares the settings with their defaults, once, and returns those of the configuration. */
declare function settings<T extends object>(defaults: T): T;
/** Refuses the value of a setting while the configuration is checked. */
declare function invalid(name: string, message: string): void;
/** Denies the run with a message. */
declare function fail(message: string, key?: string): never;
/** Adds a message for users. */
declare function finding(message: string, options?: TidegateFindingOptions): void;
/** Whether a key matches a pattern. */
declare function matches(pattern: string, key: string): boolean;
/** Writes to the log. */
declare function print(...values: unknown[]): void;
declare const console: { debug: typeof print; log: typeof print; info: typeof print; warn: typeof print; error: typeof print };
