// What the runtime of CloudFront Functions has besides the language, and what QuickJS has but it has not.
// Evaluates to a function that gets the emulator's own functions, and returns the `cloudfront` module's object.
(function (native) {
    'use strict';
    const define = (target, name, value) =>
        Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
    const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value) || String(value));

    define(globalThis, 'global', globalThis);
    const log = (...values) => native.log(values.map(text).join(' '));
    define(globalThis, 'console', { log, error: log, info: log, warn: log });

    // Bytes: a Uint8Array whose toString knows encodings, as much of Buffer as functions use.
    const utf8 = (string) => Uint8Array.from(native.encode(string));
    const buffer = (bytes) => define(bytes, 'toString', (encoding) => native.format(Array.from(bytes), encoding || 'utf8'));
    const bytesOf = (data) => (typeof data === 'string' ? utf8(data) : Uint8Array.from(data));
    const Buffer = {
        from: (data, encoding) =>
            buffer(
                typeof data === 'string' ? Uint8Array.from(native.parse(data, encoding || 'utf8')) : Uint8Array.from(data),
            ),
        isBuffer: (data) => data instanceof Uint8Array,
        byteLength: (data) => bytesOf(data).length,
        concat: (list) => Buffer.from(list.reduce((all, part) => all.concat(Array.from(part)), [])),
    };
    define(globalThis, 'Buffer', Buffer);
    define(globalThis, 'atob', (data) => native.format(native.parse(String(data), 'base64'), 'latin1'));
    define(globalThis, 'btoa', (data) => native.format(native.parse(String(data), 'latin1'), 'base64'));
    define(globalThis, 'TextEncoder', function TextEncoder() {
        this.encode = (string) => utf8(String(string));
    });
    define(globalThis, 'TextDecoder', function TextDecoder() {
        this.decode = (bytes) => native.format(Array.from(bytes), 'utf8');
    });

    const hasher = (digest) => {
        const parts = [];
        const hash = {
            update: (data) => {
                parts.push(...bytesOf(data));
                return hash;
            },
            digest: (encoding) => {
                const bytes = Uint8Array.from(digest(parts));
                return encoding === undefined ? buffer(bytes) : native.format(Array.from(bytes), encoding);
            },
        };
        return hash;
    };
    const crypto = {
        createHash: (algorithm) => hasher((data) => native.hash(algorithm, data)),
        createHmac: (algorithm, key) => hasher((data) => native.hmac(algorithm, Array.from(bytesOf(key)), data)),
    };

    const escape = (value) => encodeURIComponent(value).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
    const unescape = (value) => {
        try {
            return decodeURIComponent(value);
        } catch (error) {
            return value;
        }
    };
    const querystring = {
        escape,
        unescape,
        parse: (query, separator, equals) => {
            const parsed = {};
            for (const pair of String(query).split(separator || '&')) {
                if (pair === '') continue;
                const at = pair.indexOf(equals || '=');
                const decode = (part) => querystring.unescape(part.replace(/\+/g, ' '));
                const name = decode(at < 0 ? pair : pair.slice(0, at));
                const value = at < 0 ? '' : decode(pair.slice(at + (equals || '=').length));
                if (!(name in parsed)) parsed[name] = value;
                else if (Array.isArray(parsed[name])) parsed[name].push(value);
                else parsed[name] = [parsed[name], value];
            }
            return parsed;
        },
        stringify: (values, separator, equals) =>
            Object.keys(values)
                .map((name) =>
                    [].concat(values[name]).map((value) => escape(name) + (equals || '=') + escape(value)).join(separator || '&'),
                )
                .join(separator || '&'),
    };
    const modules = { crypto, querystring };
    define(globalThis, 'require', (name) => {
        if (!Object.prototype.hasOwnProperty.call(modules, name)) throw new Error('Cannot find module "' + name + '"');
        return modules[name];
    });

    const kvs = (id) => {
        if (!native.hasStore(id === undefined ? '' : String(id))) throw new Error('KeyValueStore not associated with the function');
        return {
            get: async (key, options) => {
                const value = native.get(String(key));
                if (value === undefined) throw new Error('KeyNotFound');
                const format = (options && options.format) || 'string';
                if (format === 'json') return JSON.parse(value);
                if (format === 'bytes') return utf8(value);
                return value;
            },
            exists: async (key) => native.get(String(key)) !== undefined,
            meta: async () => {
                const keyCount = native.count();
                if (keyCount === undefined) throw new Error('the emulator does not know the number of keys here');
                return { keyCount, lastUpdatedDateTime: native.updated(), creationDateTime: native.created() };
            },
        };
    };

    // Names that the runtime has, by the object that has them. Measured with njs, which the runtime is built on; what
    // the guide documents besides is added.
    const words = (list) => new Set(list.split(' '));
    const keep = (target, names) => {
        for (const name of Object.getOwnPropertyNames(target)) {
            if (!names.has(name)) delete target[name];
        }
    };
    keep(Array.prototype, words('constructor length concat copyWithin entries every fill filter find findIndex forEach includes indexOf join keys lastIndexOf map pop push reduce reduceRight reverse shift slice some sort splice toSorted toString unshift values'));
    keep(Array, words('length name prototype from isArray of'));
    keep(String.prototype, words('constructor length charAt charCodeAt codePointAt concat endsWith includes indexOf lastIndexOf match padEnd padStart repeat replace replaceAll search slice split startsWith substr substring toLowerCase toString toUpperCase trim trimEnd trimStart valueOf'));
    keep(String, words('length name prototype fromCharCode fromCodePoint'));
    keep(Object, words('length name prototype assign create defineProperties defineProperty entries freeze getOwnPropertyDescriptor getOwnPropertyDescriptors getOwnPropertyNames getOwnPropertySymbols getPrototypeOf is isExtensible isFrozen isSealed keys preventExtensions seal setPrototypeOf values'));
    keep(Promise, words('length name prototype all allSettled any race reject resolve'));
    const typed = Object.getPrototypeOf(Uint8Array);
    keep(typed.prototype, words('buffer byteLength byteOffset constructor copyWithin entries every fill filter find findIndex forEach includes indexOf join keys lastIndexOf length map reduce reduceRight reverse set slice some sort subarray toString values'));

    // Code cannot be made from text.
    const refuse = function Function() {
        throw new EvalError('Code generation from strings is not allowed');
    };
    refuse.prototype = Function.prototype;
    define(Function.prototype, 'constructor', refuse);
    const AsyncFunction = Object.getPrototypeOf(async function () {});
    define(AsyncFunction, 'constructor', refuse);
    define(Object.getPrototypeOf(function* () {}), 'constructor', refuse);
    define(Object.getPrototypeOf(async function* () {}), 'constructor', refuse);
    define(globalThis, 'Function', refuse);

    keep(globalThis, words('AggregateError Array ArrayBuffer Boolean Buffer DataView Date Error EvalError Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array InternalError JSON Math NaN Number Object Promise RangeError ReferenceError RegExp String Symbol SyntaxError TextDecoder TextEncoder TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray atob btoa console decodeURI decodeURIComponent encodeURI encodeURIComponent global globalThis isFinite isNaN parseFloat parseInt require undefined'));
    return { kvs };
})
