#include "agent/wire/words.h"

#include <string.h>

const char *const lp_wire_type_names[LP_WIRE_KINDS] = {
    [LP_WIRE_HELLO] = "hello",
    [LP_WIRE_STATE] = "state",
    [LP_WIRE_REPLY] = "reply",
    [LP_WIRE_ANSWER] = "answer",
    [LP_WIRE_STOP] = "stop",
    [LP_WIRE_PRESSURE] = "pressure",
    [LP_WIRE_ASK] = "ask",
    [LP_WIRE_WHO] = "who",
    [LP_WIRE_WANT] = "want",
    [LP_WIRE_PHASE] = "phase",
    [LP_WIRE_RESULT] = "result",
    [LP_WIRE_SUBSCRIBE] = "subscribe",
};

const char *const lp_wire_cap_names[LP_WIRE_CAPS] = {
    "cpu-online", "mem-online", "mem-movable", "virtio-mem", "balloon", "psi",
    "phases", "pressure", "requests",
};

const char *const lp_wire_feature_names[LP_WIRE_FEATURES] = {
    "cpu-hotplug", "memory-hotplug", "movable-zone", "virtio-mem", "balloon",
    "free-page-reporting", "numa", "psi", "steal-time", "kvmclock", "async-page-faults", "cgroups",
};

const char *const lp_wire_act_names[LP_WIRE_ACTS] = {
    "cpu-acquire", "cpu-release", "mem-acquire", "mem-release", "hooks", "reclaim", "requests",
    "classes",
};

const char *const lp_wire_hypervisor_names[LP_WIRE_HYPERVISORS] = {
    [LP_WIRE_HYPERVISOR_UNKNOWN] = "unknown",
    [LP_WIRE_HYPERVISOR_NONE] = "none",
    [LP_WIRE_HYPERVISOR_KVM] = "kvm",
    [LP_WIRE_HYPERVISOR_TCG] = "tcg",
    [LP_WIRE_HYPERVISOR_HYPERV] = "hyper-v",
    [LP_WIRE_HYPERVISOR_XEN] = "xen",
    [LP_WIRE_HYPERVISOR_VMWARE] = "vmware",
    [LP_WIRE_HYPERVISOR_OTHER] = "other",
};

const char *const lp_wire_phase_names[LP_WIRE_PHASES] = {
    [LP_WIRE_PHASE_CHECK] = "check",
    [LP_WIRE_PHASE_PRE] = "pre",
    [LP_WIRE_PHASE_POST] = "post",
    [LP_WIRE_PHASE_UNDO] = "undo",
};

const char *const lp_wire_answer_names[LP_WIRE_ANSWERS] = {
    [LP_WIRE_ANSWER_OK] = "ok",
    [LP_WIRE_ANSWER_VETO] = "veto",
};

const char *const lp_wire_mode_names[LP_WIRE_MODES] = {
    [LP_WIRE_MODE_SET] = "set",
    [LP_WIRE_MODE_ADD] = "add",
    [LP_WIRE_MODE_REMOVE] = "remove",
};

const char *const lp_wire_mem_names[LP_WIRE_MEM_POLICIES] = {
    [LP_WIRE_MEM_MOVABLE] = "movable",
    [LP_WIRE_MEM_KERNEL] = "kernel",
    [LP_WIRE_MEM_LEAVE] = "leave",
    [LP_WIRE_MEM_AUTO] = "auto",
};

int
lp_wire_word_find(const char *const *names, int n_names, const char *name)
{
    for (int i = 0; i < n_names; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

bool
lp_wire_text_allowed(const char *text, size_t length, size_t size)
{
    if (length >= size)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte < 0x20 || byte == 0x7f)
            return false;
        /* U+0080..U+009F: terminals take some of these for escape sequences too. */
        if (byte == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] < 0xa0)
            return false;
    }
    return true;
}

bool
lp_wire_boot_id_allowed(const char *text, size_t length)
{
    if (length == 0 || length >= sizeof(((LpWireHello *)NULL)->boot_id))
        return false;
    return strspn(text, "0123456789abcdef-") >= length;
}

bool
lp_wire_state_allowed(const char *state)
{
    return state[0] != '\0' && state[strspn(state, "abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

bool
lp_wire_guest_says(LpWireKind kind)
{
    return kind <= LP_WIRE_ASK;
}

const char *
lp_wire_verdict_text(LpWireVerdict verdict)
{
    switch (verdict) {
    case LP_WIRE_OK:
        return "no error";
    case LP_WIRE_TOO_LONG:
        return "the frame is longer than 65536 bytes";
    case LP_WIRE_TOO_DEEP:
        return "the frame is nested more than 8 deep";
    case LP_WIRE_NOT_JSON:
        return "the frame is not JSON";
    case LP_WIRE_NOT_OBJECT:
        return "the frame is not a JSON object";
    case LP_WIRE_UNKNOWN_TYPE:
        return "the message is of an unknown type";
    case LP_WIRE_BAD_FIELD:
        return "a field is missing, of the wrong type or out of range";
    case LP_WIRE_VERSION_DIFFERS:
        return "the peer speaks another version of the protocol";
    case LP_WIRE_NO_ROOM:
        return "the message does not fit the buffer";
    }
    return "unknown verdict";
}
