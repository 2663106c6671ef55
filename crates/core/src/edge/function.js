import cf from 'cloudfront';

// The CloudFront function of a site that Tidegate publishes. It reads two keys: the pointer, which says which release is
// live, and what the release says about the path; and a third one below folders with more rules than the pointer holds. It is written for the runtime cloudfront-js-2.0, which
// has no destructuring, spread, default parameters, `for … of` and `await` in arguments.
const SITE = '@SITE@';
const CLOSED = '@FAIL@' === 'closed';
const FORMAT = 2;
const MARK = 'x-tidegate';
// A key that never exists: all paths without an object share one cached error.
const LOST = { uri: '/.r/-', status: 200, set: '-', path: '/' };
const store = cf.kvs();

async function handler(event) {
    if (event.context.eventType === 'viewer-response') return respond(event.request, event.response);
    const request = event.request;
    let answer;
    try {
        answer = await decide(request);
    } catch (error) {
        console.log('tidegate: ' + error);
        answer = failed(request.uri);
    }
    if (answer.status === 503 || answer.status === 410) return plain(answer.status, '');
    if (answer.now) return plain(200, answer.now);
    if (answer.to) return redirect(answer, request);
    request.uri = answer.uri;
    request.headers[MARK] = { value: answer.status + ' ' + answer.set + ' ' + answer.path };
    return request;
}

// Visitors get the page in place, or nothing if the site must not be shown without its rules.
function failed(uri) {
    if (CLOSED) return { status: 503 };
    const path = spell(uri).replace(/\/\/+/g, '/');
    const name = path === '' || path.slice(-1) === '/' || hasExtension(path) ? path : path + '/';
    return object('', name, 200, '', name);
}

// What happens to a request: `to` and `status` of a redirect, or the `uri` of an object.
async function decide(request) {
    const path = spell(request.uri);
    if (path === '') return LOST;
    const text = await store.get(SITE);
    const live = JSON.parse(text);
    if (!(live.v <= FORMAT)) throw new Error('format ' + live.v);
    if (path === '/.r/now') return { now: 'r' + live.n + '\n' };
    if (isHidden(path)) return LOST;
    if (path.indexOf('//') >= 0) return { to: path.replace(/\/\/+/g, '/'), status: 301 };
    if (live.g) live.g += folderOf(live.q, path);
    const base = live.b || '';
    const shared = isShared(path, live.a || []);
    const release = live.r ? base + '/.r/' + live.r : base;
    const place = shared ? base : release;
    if (shared && !live.f) return object(place, path, 200, live.g, path);
    const slash = path.length > 1 && path.charAt(path.length - 1) === '/';
    const name = slash ? bare(path) : path;
    let is = '';
    let decided = false;
    if (live.x && name.length + SITE.length < 512) {
        const lines = await lookup(SITE + ':' + name);
        for (let i = 0; i < lines.length && !decided; i++) {
            const line = lines[i].split(' ');
            const range = line[0].split('-');
            if (live.n < +range[0] || (range[1] && live.n > +range[1])) continue;
            if (line[1] === 'file' || line[1] === 'folder') {
                if (line[1] === 'folder' || !slash) is = line[1];
                continue;
            }
            if (line[1].charAt(3) === '/' && !slash || line[1].charAt(3) === '.' && slash) continue;
            const values = parameters(line[3], request.querystring);
            if (!values) continue;
            const found = apply(line[1], line[2] || '', values, path, live, release);
            if (found) return found;
            decided = true;
        }
    }
    let rules = live.w || [];
    const folder = decided ? '' : folderOf(live.p, path);
    if (folder) {
        const more = await store.get(SITE + '^' + live.o + folder);
        rules = JSON.parse(more);
    }
    for (let i = 0; i < rules.length && !decided; i++) {
        const flags = rules[i][2];
        if (flags.indexOf('e') >= 0 && hasExtension(name)) continue;
        const values = match(rules[i][0], path, flags.indexOf('=') >= 0);
        const more = values && parameters(rules[i][4], request.querystring);
        if (!more) continue;
        decided = true;
        if ((shared || is) && flags.indexOf('!') < 0 || rules[i][3] && path.indexOf(rules[i][3]) === 0) break;
        const found = apply(flags, rules[i][1], values.concat(more), path, live, release);
        if (found) return found;
    }
    if (shared || is === 'file') return object(place, path, 200, live.g, path);
    if (path !== '/' && (is === 'folder' || !hasExtension(name))) {
        if (live.t === 'add' && !slash) return { to: path + '/', status: 301 };
        if (live.t === 'strip' && slash) return { to: name, status: 301 };
        if (!slash) return object(place, path + '/index.html', 200, live.g, path);
    }
    return object(place, path, 200, live.g, path);
}

// One spelling for every path; '' for a path that no object has.
function spell(uri) {
    if (uri.charAt(0) !== '/' || uri.length > 1500 || /\\|%(2f|5c|7f|[01])/i.test(uri)) return '';
    let text;
    try {
        text = encodeURI(decodeURIComponent(uri)).replace(/[?#+]/g, (character) => encodeURIComponent(character));
    } catch (error) {
        return '';
    }
    return text.length > 1500 || /\/\.\.?(\/|$)/.test(text) ? '' : text;
}

// Releases and previews have folders of their own that visitors cannot ask for.
function isHidden(path) {
    return /^\/+\.[rp](\/|$)/.test(path);
}

// Whether all releases share the object: a folder of assets, or a name with a fingerprint.
function isShared(path, folders) {
    for (let i = 0; i < folders.length; i++) {
        if (path.indexOf('/' + folders[i]) === 0) return true;
    }
    const found = /[.\-_]([0-9A-Za-z]{8,})\.[0-9a-z]+$/.exec(path.slice(path.lastIndexOf('/') + 1));
    return found !== null && !/\.html?$/.test(path) && /[0-9]/.test(found[1]) && /[A-Za-z]/.test(found[1]);
}

// The first of some folders that a path is in, or ''.
function folderOf(folders, path) {
    return (folders || []).find((folder) => (path + '/').indexOf('/' + folder) === 0) || '';
}

function bare(path) {
    return path.replace(/\/$/, '');
}

function hasExtension(path) {
    return path.indexOf('.', path.lastIndexOf('/')) >= 0;
}

async function lookup(key) {
    try {
        const text = await store.get(key);
        return text.split('\n');
    } catch (error) {
        return [];
    }
}

// The parts of a path that `:name` and `*` of a pattern stand for, or null.
function match(pattern, path, exact) {
    const first = pattern.search(/:[A-Za-z]|\*/);
    if ((path + '/').indexOf(first < 0 ? pattern : pattern.slice(0, first)) !== 0) return null;
    let text = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
    if (!exact) text = text.replace(/\/$/, '').replace(/\/\*$/, '(?:/\u0000)?');
    text = text.replace(/\*/g, '(.*)').replace(/:[A-Za-z]\w*/g, '([^/]+)').replace('\u0000', '(.*)');
    const found = new RegExp('^' + text + (exact ? '$' : '/?$')).exec(path);
    return found && found.slice(1);
}

// The values of parameters of a query, or null. Conditions are `name=value` or, for any value, `name`. Of equal names, the
// last one counts.
function parameters(conditions, query) {
    const values = [];
    const list = conditions ? conditions.split('&') : [];
    try {
        for (let i = 0; i < list.length; i++) {
            const pair = list[i].split('=');
            const given = query[pair[0]];
            const last = given.multiValue ? given.multiValue.slice(-1)[0] : given;
            const text = encodeURIComponent(decodeURIComponent(last.value.replace(/\+/g, ' ')));
            if (pair.length < 2) values.push(text);
            else if (pair[1] !== text) return null;
        }
    } catch (error) {
        return null;
    }
    return values;
}

// What a rule does, or null if it leads to the path itself.
function apply(flags, target, values, path, live, release) {
    const status = +flags.slice(0, 3);
    if (status === 0) return null;
    if (status === 410) return { status: 410 };
    const to = target.replace(/\{(\d+)\}/g, (all, at) => values[at - 1] || '');
    const end = to.search(/[?#]|$/);
    const inside = to.charAt(0) === '/' ? to.slice(0, end).replace(/\/\/+/g, '/') : to.slice(0, end);
    if (status >= 300 && status < 400) {
        if (inside === path || !/[=\/.]/.test(flags) && bare(inside) === bare(path)) return null;
        return { to: inside + to.slice(end), status: status, hsts: live.h };
    }
    if (/\/\.\.?(\/|$)|%(2f|5c|7f|[01])/i.test(inside)) return null;
    if (isHidden(inside)) return LOST;
    const place = isShared(inside, live.a || []) ? live.b || '' : release;
    const isKey = to === target || hasExtension(inside) || inside.slice(-1) === '/';
    return object(place, isKey ? inside : inside + '/index.html', status, live.g, path);
}

function object(place, path, status, set, visited) {
    const key = place + path + (path.slice(-1) === '/' ? 'index.html' : '');
    if (path === '' || key.replace(/%../g, '%').length > 1000 || !place && isHidden(path)) return LOST;
    return { uri: key, status: status, set: set || '-', path: visited };
}

function redirect(answer, request) {
    const parts = answer.to.split('#');
    let query = '';
    if (parts[0].indexOf('?') < 0) {
        const given = request.querystring;
        const pairs = [];
        Object.keys(given).forEach((name) => {
            (given[name].multiValue || [given[name]]).forEach((item) => pairs.push(name + (item.value === '' ? '' : '=' + item.value)));
        });
        if (pairs.length > 0) query = '?' + pairs.join('&');
    }
    const fragment = parts.length > 1 ? '#' + parts.slice(1).join('#') : '';
    const headers = { location: { value: parts[0] + query + fragment }, 'cache-control': { value: 'max-age=3600' } };
    if (answer.hsts) headers['strict-transport-security'] = { value: answer.hsts };
    return { statusCode: answer.status, headers: headers };
}

function plain(status, text) {
    const headers = { 'cache-control': { value: 'no-store' }, 'content-type': { value: 'text/plain' } };
    return { statusCode: status, headers: headers, body: text || status + '\n' };
}

// Status and headers of a response, by the mark that the request got, or again from the path that the viewer sent.
async function respond(request, response) {
    try {
        const mark = request.headers[MARK];
        const parts = mark ? mark.value.split(' ') : [];
        let found = { status: +parts[0], set: parts[1], path: parts[2] };
        if (!mark) found = await decide(request);
        if (found.status === 404 && response.statusCode === 200) {
            response.statusCode = 404;
        }
        if (found.set && found.set !== '-') {
            const text = await store.get(SITE + '^' + found.set);
            add(JSON.parse(text), found.path, response.headers);
        }
    } catch (error) {
        console.log('tidegate: ' + error);
    }
    return response;
}

// Rules are `[pattern, [[name, value], …], [removed name, …], exact]`.
function add(rules, path, headers) {
    const added = {};
    for (let i = 0; i < rules.length; i++) {
        if (!match(rules[i][0], path, rules[i][3] === 1)) continue;
        (rules[i][2] || []).forEach((name) => {
            delete added[name];
            delete headers[name];
        });
        rules[i][1].forEach((pair) => {
            added[pair[0]] = added[pair[0]] === undefined ? pair[1] : added[pair[0]] + ', ' + pair[1];
        });
    }
    Object.keys(added).forEach((name) => {
        headers[name] = { value: added[name] };
    });
}
