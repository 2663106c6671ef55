// Denies new images above a size, which depends on their format.
const { limits } = settings({ limits: { ".png": 500_000, ".jpg": 300_000, ".webp": 200_000 } });

each(Object.keys(limits).map((suffix) => `**/*${suffix}`), (image) => {
    if (image.kind !== "create" && image.kind !== "update") return;
    const limit = limits[Object.keys(limits).find((suffix) => image.key.endsWith(suffix))];
    if (image.size > limit) {
        deny(`the image has ${image.size} bytes, more than ${limit}; compress it`, { code: "large-image", key: image.key });
    }
});
