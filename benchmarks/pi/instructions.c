/* How many arm64 instructions a program executes: a plugin of qemu's user emulation (plugin interface 1, qemu 7.2).

   One line is appended to the file `out` when a process ends: all instructions, those of the vector unit, and of these
   the int8 dot products. Counters are added to without a lock: count programs that compute in one thread.

   What qemu declares is repeated here as far as it is used, so that no header of it is needed:
   gcc -shared -fPIC -O2 -o instructions.so instructions.c */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

#define PUBLIC __attribute__((visibility("default")))
PUBLIC int qemu_plugin_version = 1;

enum { ALL, VECTOR, DOT, KINDS };
static uint64_t executed[KINDS];
static char out[4096];

/* Arm ARM, C4.1: bits 28 to 25 are x111 for floating point and vectors. */
static bool is_vector(uint32_t word) { return ((word >> 25) & 7) == 7; }

/* SDOT and UDOT, of vectors and by element. */
static bool is_dot(uint32_t word) {
    return (word & 0x9F20FC00) == 0x0E009400 || (word & 0x9F00F400) == 0x0F00E000;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    size_t instructions = qemu_plugin_tb_n_insns(block);
    uint64_t found[KINDS] = {instructions};
    for (size_t i = 0; i < instructions; i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)), sizeof word);
        found[VECTOR] += is_vector(word);
        found[DOT] += is_dot(word);
    }
    for (int kind = 0; kind < KINDS; kind++)
        if (found[kind])
            qemu_plugin_register_vcpu_tb_exec_inline(
                block, QEMU_PLUGIN_INLINE_ADD_U64, &executed[kind], found[kind]);
}

static void ended(qemu_plugin_id_t id, void *nothing) {
    FILE *file = fopen(out, "a");
    if (!file)
        return;
    fprintf(file, "%llu %llu %llu\n", (unsigned long long)executed[ALL], (unsigned long long)executed[VECTOR],
            (unsigned long long)executed[DOT]);
    fclose(file);
}

PUBLIC int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **arguments) {
    if (count != 1 || strncmp(arguments[0], "out=", 4) || strlen(arguments[0]) >= sizeof out)
        return -1;
    strcpy(out, arguments[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
