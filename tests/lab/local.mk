# The laboratory: what ./lab is made of, and the tests that it runs on real guests.
EXTRA_DIST += \
	tests/lab/check.sh \
	tests/lab/console.sh \
	tests/lab/cycles.sh \
	tests/lab/demo.sh \
	tests/lab/host.sh \
	tests/lab/lib.sh \
	tests/lab/session.sh \
	tests/lab/setup.sh \
	tests/lab/t-00-boot.sh \
	tests/lab/t-10-cpu.sh \
	tests/lab/t-20-mem.sh \
	tests/lab/t-25-partial.sh \
	tests/lab/t-26-hooks.sh \
	tests/lab/t-27-cycles.sh \
	tests/lab/t-28-pressure.sh \
	tests/lab/t-30-move.sh \
	tests/lab/t-35-dimm-balloon.sh \
	tests/lab/t-36-requests.sh \
	tests/lab/t-40-capacity.sh \
	tests/lab/t-45-definition.sh \
	tests/lab/t-50-refusals.sh \
	tests/lab/t-55-peers.sh \
	tests/lab/t-57-stuck.sh \
	tests/lab/t-60-restart.sh \
	tests/lab/t-65-reboot.sh \
	tests/lab/t-66-room.sh \
	tests/lab/t-70-api.sh \
	tests/lab/t-80-overrun.sh \
	tests/lab/t-90-session.sh \
	tests/lab/guest/init \
	tests/lab/guest/lab-agent \
	tests/lab/guest/lab-hog \
	tests/lab/guest/lab-pin.c \
	tests/lab/guest/lab-run \
	tests/lab/guest/lab-shell \
	tests/lab/guest/lab-touch.c
