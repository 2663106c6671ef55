// Gives stacks the lines of the sources of a bundle. `sources` and `mappings` are those of its source map, and the bundle
// begins on the second line: `tidegate plugin build` puts this on the first line, without its comments.
((sources, mappings) => {
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let lines;
    const decode = () => {
        let [source, line] = [0, 0];
        const lineOfBundle = (text) => {
            let column = 0;
            const segment = (text) => {
                const numbers = [];
                let [value, shift] = [0, 0];
                for (const digit of text) {
                    const bits = digits.indexOf(digit);
                    value += (bits & 31) << shift;
                    shift += 5;
                    if (bits < 32) {
                        numbers.push(value & 1 ? -(value >> 1) : value >> 1);
                        [value, shift] = [0, 0];
                    }
                }
                column += numbers[0];
                source += numbers[1] ?? 0;
                line += numbers[2] ?? 0;
                return { column, source, line };
            };
            return text === "" ? [] : text.split(",").map(segment);
        };
        return mappings.split(";").map(lineOfBundle);
    };
    const place = (frame) => {
        const [file, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
        if (frame.isNative()) return "native";
        if (file !== "plugin.ts") return `${file}:${line}:${column}`;
        lines ??= decode();
        const segments = lines[line - 2] ?? [];
        const segment = segments.findLast((segment) => segment.column < column) ?? segments[0];
        return segment === undefined ? "bundle" : `${sources[segment.source]}:${segment.line + 1}`;
    };
    Error.prepareStackTrace = (error, frames) =>
        frames.map((frame) => `    at ${frame.getFunctionName() || "<anonymous>"} (${place(frame)})`).join("\n");
})
