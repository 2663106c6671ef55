// Warns about large pages, and holds plans that delete objects until a person approves them.
#include "policy_plugin.h"
#include "string.h"
#include <stdlib.h>

#define MAX_PAGE_BYTES 100000

static uint64_t deletes;

// The bindings free every text of an answer, so each one is a copy.
static policy_plugin_string_t text(const char *literal) {
    policy_plugin_string_t copy;
    policy_plugin_string_dup(&copy, literal);
    return copy;
}

static bool equals(const policy_plugin_string_t *one, const char *other) {
    return one->len == strlen(other) && memcmp(one->ptr, other, one->len) == 0;
}

static bool ends_with(const policy_plugin_string_t *one, const char *end) {
    size_t length = strlen(end);
    return one->len >= length && memcmp(one->ptr + one->len - length, end, length) == 0;
}

// `before`, the number and `after`.
static policy_plugin_string_t with_number(const char *before, uint64_t number, const char *after) {
    char digits[20];
    size_t count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    size_t start = strlen(before), rest = strlen(after);
    policy_plugin_string_t joined = { malloc(start + count + rest), start + count + rest };
    memcpy(joined.ptr, before, start);
    for (size_t at = 0; at < count; at++) joined.ptr[start + at] = (uint8_t)digits[count - 1 - at];
    memcpy(joined.ptr + start + count, after, rest);
    return joined;
}

bool exports_tidegate_plugin_settings_validate(
    policy_plugin_string_t *settings, policy_plugin_string_t *ret, exports_tidegate_plugin_settings_list_issue_t *err) {
    bool is_empty = equals(settings, "{}");
    if (is_empty) {
        *ret = text("{}");
    } else {
        err->len = 1;
        err->ptr = malloc(sizeof(*err->ptr));
        err->ptr[0].pointer = text("");
        err->ptr[0].message = text("the plugin has no settings; remove them");
    }
    policy_plugin_string_free(settings);
    return is_empty;
}

bool exports_tidegate_plugin_policy_begin(
    exports_tidegate_plugin_policy_run_t *run, exports_tidegate_plugin_policy_totals_t *totals,
    exports_tidegate_plugin_policy_failure_t *err) {
    (void)err;
    deletes = 0;
    for (size_t at = 0; at < totals->counts.len; at++)
        if (equals(&totals->counts.ptr[at].f0, "delete")) deletes = totals->counts.ptr[at].f1;
    exports_tidegate_plugin_policy_run_free(run);
    exports_tidegate_plugin_policy_totals_free(totals);
    return true;
}

bool exports_tidegate_plugin_policy_review(
    exports_tidegate_plugin_policy_list_change_t *batch, exports_tidegate_plugin_policy_list_finding_t *ret,
    exports_tidegate_plugin_policy_failure_t *err) {
    (void)err;
    ret->ptr = calloc(batch->len, sizeof(*ret->ptr));
    ret->len = 0;
    for (size_t at = 0; at < batch->len; at++) {
        exports_tidegate_plugin_policy_change_t *change = &batch->ptr[at];
        bool is_new = change->kind.tag == EXPORTS_TIDEGATE_PLUGIN_POLICY_CHANGE_KIND_CREATE ||
                      change->kind.tag == EXPORTS_TIDEGATE_PLUGIN_POLICY_CHANGE_KIND_UPDATE;
        if (!is_new || !ends_with(&change->key, ".html") || change->size <= MAX_PAGE_BYTES) continue;
        exports_tidegate_plugin_policy_finding_t *finding = &ret->ptr[ret->len++];
        finding->code = text("large-page");
        finding->severity = TIDEGATE_PLUGIN_TYPES_SEVERITY_WARNING;
        finding->message = with_number("the page has ", change->size, " bytes, more than 100000");
        finding->key.is_some = true;
        finding->key.val.len = change->key.len;
        finding->key.val.ptr = malloc(change->key.len);
        memcpy(finding->key.val.ptr, change->key.ptr, change->key.len);
        finding->rule = text("");
    }
    exports_tidegate_plugin_policy_list_change_free(batch);
    return true;
}

bool exports_tidegate_plugin_policy_conclude(
    exports_tidegate_plugin_policy_judgement_t *ret, exports_tidegate_plugin_policy_failure_t *err) {
    (void)err;
    *ret = (exports_tidegate_plugin_policy_judgement_t){ 0 };
    ret->verdict.tag = EXPORTS_TIDEGATE_PLUGIN_POLICY_VERDICT_ALLOW;
    if (deletes > 0) {
        ret->verdict.tag = EXPORTS_TIDEGATE_PLUGIN_POLICY_VERDICT_HOLD;
        ret->findings.len = 1;
        ret->findings.ptr = calloc(1, sizeof(*ret->findings.ptr));
        ret->findings.ptr[0].code = text("deletes");
        ret->findings.ptr[0].severity = TIDEGATE_PLUGIN_TYPES_SEVERITY_WARNING;
        ret->findings.ptr[0].message = with_number("", deletes, " objects are deleted");
        ret->findings.ptr[0].rule = text("");
    }
    return true;
}
