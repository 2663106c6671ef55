
/** Calls the function with each object that a pattern matches, in the order of keys; with every object without patterns. */
declare function each(callback: (object: TidegateObject) => void): void;
declare function each(options: TidegateEachOptions, callback: (object: TidegateObject) => void): void;
declare function each(patterns: string | string[], callback: (object: TidegateObject) => void): void;
declare function each(patterns: string | string[], options: TidegateEachOptions, callback: (object: TidegateObject) => void): void;
/** Calls the function after the last object. */
declare function last(callback: (site: TidegateSite) => void): void;
