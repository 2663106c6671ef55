// What the runtime offers to a function: a key value store, whose keys the test sets.
let keys = {};
let reads = 0;
const cf = {
    kvs: function () {
        return {
            get: function (key) {
                reads += 1;
                const found = Object.prototype.hasOwnProperty.call(keys, key);
                return found ? Promise.resolve(keys[key]) : Promise.reject(new Error('KeyNotFound'));
            },
        };
    },
};
