// Runs the function of a site for cases, in node and in njs. The test puts the code and the cases before this text:
// `cases` are `[{ keys, event }]`. Prints `=` and `{ result, reads }` for each: njs cuts long lines.
async function run() {
    for (let i = 0; i < cases.length; i++) {
        keys = cases[i].keys;
        reads = 0;
        const result = await handler(cases[i].event);
        console.log('=' + JSON.stringify({ result: result, reads: reads }));
    }
}

run();
