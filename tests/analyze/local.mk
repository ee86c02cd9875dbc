# `make analyze`: static analysis of the whole tree, some minutes; see tests/analyze/run.
EXTRA_DIST += tests/analyze/run tests/analyze/EXCEPTIONS tests/analyze/clang-tidy \
	tests/analyze/cppcheck.h
ANALYZE_JOBS = 1
analyze: config.h
	$(top_srcdir)/tests/analyze/run --build . --jobs $(ANALYZE_JOBS)
.PHONY: analyze
