/* The table of verbs, and the help that is made of it. */
#include "lpard/ctl/verbs.h"

#include <string.h>

#include "lpard/ctl/text.h"

#define OPT(name) LP_CTL_OPT_BIT(LP_CTL_OPT_##name)
/* Amounts and fields are checked by the verbs, which can say what is wrong. */
#define MANY 64

const LpCtlVerb lp_ctl_verbs[] = {
    { "list", "", "the partitions; --all: every domain libvirt knows", "lparctl list",
      OPT(ALL) | OPT(OUTPUT), 0, 0, lp_ctl_cmd_list },
    { "show", "NAME", "one partition: desired, granted, usable, cell by cell", "lparctl show web1",
      OPT(OUTPUT) | OPT(GUEST), 1, 1, lp_ctl_cmd_show },
    { "host", "[--numa] [--svg FILE]",
      "this machine: virtualization, topology, what is granted and free", "lparctl host --numa",
      OPT(NODES) | OPT(SVG) | OPT(OUTPUT), 0, 0, lp_ctl_cmd_host },
    { "score", "[NAME...]", "affinity: how near memory is to the processors that use it",
      "lparctl score web1 --fresh", OPT(FRESH) | OPT(OUTPUT), 0, MANY, lp_ctl_cmd_score },
    { "optimize", "[--dry-run] | --stop",
      "move memory and processors of running partitions to where they are near each other",
      "lparctl optimize --request web1 --protect db1,db2 --max-bytes 64G",
      OPT(REQUEST) | OPT(PROTECT) | OPT(MIN_GAIN) | OPT(MAX_BYTES) | OPT(STOP) | OPT(DRY_RUN) |
          OPT(WAIT) | OPT(NO_WAIT) | OPT(KEY) | OPT(OUTPUT), 0, 0, lp_ctl_cmd_optimize },
    { "check", "NAME", "whether a domain has what resizing needs, and the cures",
      "lparctl check web1", OPT(OUTPUT), 1, 1, lp_ctl_cmd_check },
    { "enable", "DOMAIN --cpu MIN:DESIRED:MAX --mem MIN:DESIRED:MAX",
      "make a libvirt domain a partition",
      "lparctl enable web1 --cpu 1:2:8 --mem 2G:4G:8G --dry-run", LP_CTL_OPTS_PROFILE, 1, 1,
      lp_ctl_cmd_enable },
    { "define", "NAME --cpu MIN:DESIRED:MAX --mem MIN:DESIRED:MAX --kernel FILE|--disk FILE",
      "make a new partition",
      "lparctl define web1 --disk /var/lib/web1.qcow2 --cpu 1:2:8 --mem 2G:4G:8G --start",
      LP_CTL_OPTS_PROFILE | OPT(KERNEL) | OPT(INITRD) | OPT(CMDLINE) | OPT(DISK) | OPT(NETWORK) |
          OPT(START), 1, 1, lp_ctl_cmd_define },
    { "disable", "NAME", "take the profile away; the domain stays",
      "lparctl disable web1 --dry-run", OPT(DRY_RUN) | OPT(OUTPUT), 1, 1, lp_ctl_cmd_disable },
    { "profile", "NAME | set NAME FIELD=VALUE... | restore NAME",
      "a partition's bounds and capacity: show, edit, write back",
      "lparctl profile set web1 cpu=1:4:8 weight=200 uncapped", OPT(DRY_RUN) | OPT(OUTPUT), 1,
      MANY, lp_ctl_cmd_profile },
    { "start", "NAME", "boot a defined partition", "lparctl start web1", OPT(OUTPUT), 1, 1,
      lp_ctl_cmd_start },
    { "set", "NAME [cpu=N] [mem=SIZE]", "resize to these amounts", "lparctl set web1 cpu=4 mem=6G",
      LP_CTL_OPTS_AMOUNT, 1, MANY, lp_ctl_cmd_set },
    { "add", "NAME [cpu=N] [mem=SIZE]", "give more", "lparctl add web1 cpu=1 mem=512M",
      LP_CTL_OPTS_AMOUNT, 1, MANY, lp_ctl_cmd_add },
    { "remove", "NAME [cpu=N] [mem=SIZE]", "take away", "lparctl remove web1 cpu=1 mem=512M",
      LP_CTL_OPTS_AMOUNT, 1, MANY, lp_ctl_cmd_remove },
    { "move", "[cpu=N] [mem=SIZE] --from NAME --to NAME", "from one partition to another",
      "lparctl move cpu=1 mem=1G --from batch --to web1",
      LP_CTL_OPTS_AMOUNT | OPT(FROM) | OPT(TO), 0, MANY, lp_ctl_cmd_move },
    { "capacity", "NAME [entitled=UNITS] [weight=0..255] [capped|uncapped]",
      "processing units of a partition", "lparctl capacity web1 entitled=1.50 weight=200 capped",
      LP_CTL_OPTS_CHANGE, 2, MANY, lp_ctl_cmd_capacity },
    { "reconcile", "NAME", "back to what the profile desires", "lparctl reconcile web1",
      LP_CTL_OPTS_CHANGE | OPT(VIA), 1, 1, lp_ctl_cmd_reconcile },
    { "autoscale", "NAME [--goal latency|balanced|density]",
      "resize a partition by what it needs; without options: how it is set",
      "lparctl autoscale web1 --goal balanced",
      OPT(MODE) | OPT(GOAL) | OPT(PRIORITY) | OPT(ENTITLED_MEM) | OPT(RELEASE_AFTER) |
          OPT(SCHEDULE) | OPT(NO_SCHEDULES) | OPT(DRY_RUN) | OPT(OUTPUT), 1, 1,
      lp_ctl_cmd_autoscale },
    { "pool", "list | define|set NAME max=UNITS | remove NAME | join NAME POOL | leave NAME",
      "shared processor pools, and who is in them", "lparctl pool define web max=4 reserved=0.5",
      OPT(OUTPUT), 1, MANY, lp_ctl_cmd_pool },
    { "hold", "NAME [--until TIME | --release]", "no automatic change to a partition",
      "lparctl hold web1 --until +2h", OPT(UNTIL) | OPT(RELEASE) | OPT(OUTPUT), 1, 1,
      lp_ctl_cmd_hold },
    { "policy", "[show] | set [--mode M] [--leftovers L] | explain NAME | plan | log [NAME]",
      "what the policy decides, and why; its mode", "lparctl policy explain web1",
      OPT(MODE) | OPT(LEFTOVERS) | OPT(LIMIT) | OPT(OUTPUT), 0, 2, lp_ctl_cmd_policy },
    { "op", "list | show ID | cancel ID | wait ID", "operations, open and finished",
      "lparctl op wait 17", OPT(ALL) | OPT(PARTITION) | OPT(OUTPUT), 1, 2, lp_ctl_cmd_op },
    { "audit", "[NAME]", "who asked for what change, and what came of it",
      "lparctl audit web1 --limit 20", OPT(LIMIT) | OPT(OUTPUT), 0, 1, lp_ctl_cmd_audit },
    { "events", "[-f]", "what happened; -f: what happens", "lparctl events -f --partition web1",
      OPT(FOLLOW) | OPT(PARTITION) | OPT(OUTPUT), 0, 0, lp_ctl_cmd_events },
    { "version", "", "of lparctl, lpard and the hypervisor", "lparctl version", OPT(OUTPUT), 0, 0,
      lp_ctl_cmd_version },
    { "help", "[VERB]", "this, or how a verb is used", "lparctl help set", 0, 0, 1,
      lp_ctl_cmd_help },
    { "_names", "[verbs|options VERB|domains|partitions|pools|operations [all]]", "for completion",
      "lparctl _names partitions", 0, 0, 2, lp_ctl_cmd_names, .hidden = true },
    { 0 },
};

const LpCtlVerb *
lp_ctl_verb_find(const char *name)
{
    for (const LpCtlVerb *verb = lp_ctl_verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

static void
append_options(GString *out, guint64 allowed)
{
    for (guint i = 0; i < LP_CTL_OPTS; i++) {
        const char *argument = lp_ctl_option_argument((LpCtlOption)i);
        g_autofree char *name = NULL;

        if (!(allowed & LP_CTL_OPT_BIT(i)))
            continue;
        name = g_strdup_printf("--%s%s%s", lp_ctl_option_name((LpCtlOption)i), argument ? " " : "",
                               argument ? argument : "");
        g_string_append_printf(out, "  %-34s %s\n", name,
                               lp_ctl_option_summary((LpCtlOption)i));
    }
}

char *
lp_ctl_verb_help(const LpCtlVerb *verb)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "Usage: lparctl %s%s%s\n%s\nExample: %s\n", verb->name,
                           verb->usage[0] ? " " : "", verb->usage, verb->summary, verb->example);
    g_string_append(out, "Options:\n");
    append_options(out, verb->options | LP_CTL_OPTS_COMMON);
    return g_string_free(out, FALSE);
}

char *
lp_ctl_help(void)
{
    GString *out = g_string_new("Usage: lparctl VERB [WORD...] [OPTION...]\n\n");

    for (const LpCtlVerb *verb = lp_ctl_verbs; verb->name != NULL; verb++) {
        if (!verb->hidden)
            g_string_append_printf(out, "  %-10s %s\n", verb->name, verb->summary);
    }
    g_string_append(out,
                    "\n`lparctl VERB --help` shows a verb's options and an example.\n"
                    "Exit status: 0 done, 1 error, 2 usage, 3 partial, 4 refused, 5 vetoed, "
                    "6 timed out,\n7 cancelled, 8 lpard not reachable, 9 accepted, not awaited.\n");
    return g_string_free(out, FALSE);
}
