
/** Calls the function with each change that a pattern matches, in the order of keys; with every change without patterns. */
declare function each(callback: (change: TidegateChange) => void): void;
declare function each(options: TidegateEachOptions, callback: (change: TidegateChange) => void): void;
declare function each(patterns: string | string[], callback: (change: TidegateChange) => void): void;
declare function each(patterns: string | string[], options: TidegateEachOptions, callback: (change: TidegateChange) => void): void;
/** Calls the function after the last change. */
declare function last(callback: (counts: Readonly<Record<string, number>>) => void): void;
/** Denies the run, with a finding. */
declare function deny(message: string, options?: TidegateFindingOptions): void;
/** Holds the run until a person approves the plan, with a finding. */
declare function hold(message: string, options?: TidegateFindingOptions): void;
