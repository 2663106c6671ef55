// Holds publishes on some days and within some periods, in UTC.
const { days, periods } = settings({ days: ["Sat", "Sun"], periods: [] });
const now = new Date();

last(() => {
    const day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][now.getUTCDay()];
    if (days.includes(day)) hold(`no publishes on ${day}`, { code: "freeze" });
    for (const { from, to, why } of periods) {
        if (now >= new Date(from) && now < new Date(to)) hold(`${why}, until ${to}`, { code: "freeze" });
    }
});
