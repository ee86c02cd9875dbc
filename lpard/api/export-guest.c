/* A partition from the inside, by its agent's word. */
#include "lpard/api/export.h"

#include "agent/wire/feature.h"
#include "agent/wire/words.h"

static json_t *
integer(uint64_t number)
{
    return json_integer((json_int_t)MIN(number, (uint64_t)INT64_MAX));
}

static json_t *
features_json(const LpWireHello *hello)
{
    json_t *list = json_array();
    uint32_t has, lacks;

    lp_wire_hello_features(hello, &has, &lacks);
    for (unsigned bit = 0; bit < LP_WIRE_FEATURES; bit++) {
        const LpWireFeature *feature = lp_wire_feature(bit);
        bool there = has & 1u << bit, missing = lacks & 1u << bit;

        json_array_append_new(list, json_pack(
            "{s:s, s:s, s:s, s:s?}", "name", feature->name,
            "state", there ? "yes" : missing ? "no" : "unknown",
            "text", there ? feature->has : missing ? feature->lacks : "the guest does not say",
            "cure", missing ? feature->cure : NULL));
    }
    return list;
}

static json_t *
abilities_json(const LpWireHello *hello)
{
    static const char *const words[] = {[LP_WIRE_ABLE_UNKNOWN] = "unknown",
                                        [LP_WIRE_ABLE_NO] = "no", [LP_WIRE_ABLE_YES] = "yes"};
    json_t *list = json_array();
    LpWireAbility ability;

    for (unsigned i = 0; lp_wire_ability(hello, i, &ability); i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", ability.name, "able",
                                              words[ability.able], "text", ability.text));
    return list;
}

static json_t *
forbids_json(uint32_t forbids)
{
    json_t *list = json_array();

    for (unsigned bit = 0; bit < LP_WIRE_ACTS; bit++)
        if (forbids & 1u << bit)
            json_array_append_new(list, json_string(lp_wire_act_names[bit]));
    return list;
}

static json_t *
classes_json(const LpWirePressure *pressure)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < pressure->n_classes && i < LP_WIRE_CLASSES_MAX; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name",
                                              pressure->classes[i].name,
                                              "cpu_centi", integer(pressure->classes[i].cpu_centi),
                                              "mem_bytes",
                                              integer(pressure->classes[i].mem_bytes)));
    return list;
}

static json_t *
pressure_json(const LpGuest *guest, int64_t now_usec)
{
    const LpWirePressure *pressure = &guest->pressure;

    if (!guest->connected || !guest->has_pressure)
        return json_null();
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "age_sec", integer((uint64_t)MAX(now_usec - guest->pressure_usec, 0) / G_USEC_PER_SEC),
        "mem_total_bytes", integer(pressure->mem_total_bytes),
        "mem_available_bytes", integer(pressure->mem_available_bytes),
        "working_set_bytes", integer(pressure->working_set_bytes),
        "swap_used_bytes", integer(pressure->swap_used_bytes),
        "refaults", integer(pressure->refaults), "oom_kills", integer(pressure->oom_kills),
        "cpu_some_centi", integer(pressure->psi_cpu_some_centi),
        "mem_some_centi", integer(pressure->psi_mem_some_centi),
        "mem_full_centi", integer(pressure->psi_mem_full_centi),
        "io_some_centi", integer(pressure->psi_io_some_centi),
        "io_full_centi", integer(pressure->psi_io_full_centi),
        "running", integer(pressure->running), "busy_centi", integer(pressure->busy_centi),
        "steal_centi", integer(pressure->steal_centi), "classes", classes_json(pressure));
}

json_t *
lp_export_guest(const LpPartition *partition, int64_t now_usec)
{
    const LpGuest *guest = &partition->guest;
    bool said = guest->connected && guest->hello.hypervisor < LP_WIRE_HYPERVISORS;
    g_autofree char *name = g_utf8_make_valid(partition->view->name, -1);

    return json_pack("{s:s, s:o, s:s?, s:o, s:o, s:o, s:o}", "partition", name,
                     "agent", lp_export_agent(partition, now_usec),
                     "hypervisor",
                     said ? lp_wire_hypervisor_names[guest->hello.hypervisor] : NULL,
                     "features",
                     guest->connected ? features_json(&guest->hello) : json_array(),
                     "abilities",
                     guest->connected ? abilities_json(&guest->hello) : json_array(),
                     "forbids", forbids_json(guest->connected ? guest->hello.forbids : 0),
                     "pressure", pressure_json(guest, now_usec));
}
