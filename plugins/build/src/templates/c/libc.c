// The functions of the C library that bindings need: an allocator with one list of free blocks for each power of two.
#include "libc.h"
#include <stdint.h>

#define PAGE 65536
#define SMALLEST 4
#define CLASSES 28

// Before each block, so that blocks are aligned to 8 bytes.
typedef struct header {
    struct header *next;
    uint32_t class;
} header;

extern uint8_t __heap_base;
static uint8_t *unused;
static uint8_t *end;
static header *blocks[CLASSES];

static uint32_t class_of(size_t size) {
    uint32_t class = SMALLEST;
    while (class < CLASSES && ((size_t)1 << class) < size) class++;
    return class;
}

void *malloc(size_t size) {
    uint32_t class = class_of(size);
    if (class >= CLASSES) abort();
    header *block = blocks[class];
    if (block) {
        blocks[class] = block->next;
        return block + 1;
    }
    if (!unused) {
        unused = (uint8_t *)(((uintptr_t)&__heap_base + 7) & ~(uintptr_t)7);
        end = (uint8_t *)((uintptr_t)__builtin_wasm_memory_size(0) * PAGE);
    }
    size_t needed = sizeof(header) + ((size_t)1 << class);
    while ((size_t)(end - unused) < needed) {
        size_t pages = needed / PAGE + 1;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) abort();
        end += pages * PAGE;
    }
    block = (header *)unused;
    unused += needed;
    block->class = class;
    return block + 1;
}

void free(void *memory) {
    if (!memory) return;
    header *block = (header *)memory - 1;
    block->next = blocks[block->class];
    blocks[block->class] = block;
}

void *calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) abort();
    void *memory = malloc(total);
    return memset(memory, 0, total);
}

void *realloc(void *memory, size_t size) {
    if (!memory) return malloc(size);
    size_t old = (size_t)1 << ((header *)memory - 1)->class;
    if (size <= old) return memory;
    void *larger = malloc(size);
    memcpy(larger, memory, old);
    free(memory);
    return larger;
}

void *memcpy(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }
void *memmove(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }
void *memset(void *to, int byte, size_t size) { return __builtin_memset(to, byte, size); }

int memcmp(const void *one, const void *other, size_t size) {
    const uint8_t *a = one, *b = other;
    for (size_t at = 0; at < size; at++)
        if (a[at] != b[at]) return a[at] < b[at] ? -1 : 1;
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

_Noreturn void abort(void) { __builtin_trap(); }
