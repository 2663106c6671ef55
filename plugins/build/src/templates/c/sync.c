// Excludes pages that are marked as drafts, keeps caches from data, and adds a redirect for a robots.txt that is missing.
#include "sync_plugin.h"
#include "string.h"
#include <stdlib.h>

#define MARKER "<meta name=\"draft\""
#define HEAD_BYTES 1024

static bool has_robots;

// The bindings free every text of an answer, so each one is a copy.
static sync_plugin_string_t text(const char *literal) {
    sync_plugin_string_t copy;
    sync_plugin_string_dup(&copy, literal);
    return copy;
}

static bool equals(const sync_plugin_string_t *one, const char *other) {
    return one->len == strlen(other) && memcmp(one->ptr, other, one->len) == 0;
}

static bool ends_with(const sync_plugin_string_t *one, const char *end) {
    size_t length = strlen(end);
    return one->len >= length && memcmp(one->ptr + one->len - length, end, length) == 0;
}

static bool contains(const sync_plugin_string_t *one, const char *part) {
    size_t length = strlen(part);
    for (size_t at = 0; at + length <= one->len; at++)
        if (memcmp(one->ptr + at, part, length) == 0) return true;
    return false;
}

bool exports_tidegate_plugin_settings_validate(
    sync_plugin_string_t *settings, sync_plugin_string_t *ret, exports_tidegate_plugin_settings_list_issue_t *err) {
    bool is_empty = equals(settings, "{}");
    if (is_empty) {
        *ret = text("{}");
    } else {
        err->len = 1;
        err->ptr = malloc(sizeof(*err->ptr));
        err->ptr[0].pointer = text("");
        err->ptr[0].message = text("the plugin has no settings; remove them");
    }
    sync_plugin_string_free(settings);
    return is_empty;
}

bool exports_tidegate_plugin_sync_begin(exports_tidegate_plugin_sync_run_t *run, exports_tidegate_plugin_sync_failure_t *err) {
    (void)err;
    has_robots = false;
    exports_tidegate_plugin_sync_run_free(run);
    return true;
}

static bool is_page(const exports_tidegate_plugin_sync_entry_t *entry) {
    return !entry->redirect.is_some && ends_with(&entry->key, ".html");
}

bool exports_tidegate_plugin_sync_decide(
    exports_tidegate_plugin_sync_list_entry_t *batch, exports_tidegate_plugin_sync_list_decision_t *ret,
    exports_tidegate_plugin_sync_failure_t *err) {
    (void)err;
    // One call for all pages of the batch: the host reads them side by side.
    sync_plugin_list_string_t keys = { calloc(batch->len, sizeof(*keys.ptr)), 0 };
    for (size_t at = 0; at < batch->len; at++)
        if (is_page(&batch->ptr[at])) keys.ptr[keys.len++] = batch->ptr[at].key;
    tidegate_plugin_content_list_result_string_read_error_t heads = { NULL, 0 };
    if (keys.len > 0) tidegate_plugin_content_read_texts(&keys, HEAD_BYTES, &heads);
    free(keys.ptr);

    ret->ptr = calloc(batch->len, sizeof(*ret->ptr));
    ret->len = 0;
    size_t page = 0;
    for (size_t at = 0; at < batch->len; at++) {
        exports_tidegate_plugin_sync_entry_t *entry = &batch->ptr[at];
        exports_tidegate_plugin_sync_decision_t *decision = &ret->ptr[ret->len];
        if (equals(&entry->key, "robots.txt")) has_robots = true;
        if (is_page(entry)) {
            tidegate_plugin_content_result_string_read_error_t *head = &heads.ptr[page++];
            if (!head->is_err && contains(&head->val.ok, MARKER)) {
                decision->index = at;
                decision->action.tag = EXPORTS_TIDEGATE_PLUGIN_SYNC_ACTION_EXCLUDE;
                decision->rule = text("");
                decision->reason = text("marked as a draft");
                ret->len++;
            }
        } else if (ends_with(&entry->key, ".json")) {
            decision->index = at;
            decision->action.tag = EXPORTS_TIDEGATE_PLUGIN_SYNC_ACTION_PUBLISH;
            decision->action.val.publish.len = 1;
            decision->action.val.publish.ptr = calloc(1, sizeof(*decision->action.val.publish.ptr));
            exports_tidegate_plugin_sync_edit_t *edit = &decision->action.val.publish.ptr[0];
            edit->tag = EXPORTS_TIDEGATE_PLUGIN_SYNC_EDIT_SET_HEADER;
            edit->val.set_header.name = text("cache-control");
            edit->val.set_header.value = text("no-store");
            decision->rule = text("");
            decision->reason = text("data is never cached");
            ret->len++;
        }
    }
    tidegate_plugin_content_list_result_string_read_error_free(&heads);
    exports_tidegate_plugin_sync_list_entry_free(batch);
    return true;
}

bool exports_tidegate_plugin_sync_finish(
    exports_tidegate_plugin_sync_summary_t *ret, exports_tidegate_plugin_sync_failure_t *err) {
    (void)err;
    *ret = (exports_tidegate_plugin_sync_summary_t){ 0 };
    if (!has_robots) {
        ret->extras.len = 1;
        ret->extras.ptr = calloc(1, sizeof(*ret->extras.ptr));
        ret->extras.ptr[0].key = text("robots.txt");
        ret->extras.ptr[0].redirect = text("/robots/");
        ret->extras.ptr[0].rule = text("");
        ret->extras.ptr[0].reason = text("the artifact has no robots.txt");
    }
    return true;
}
