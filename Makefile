# Thin aliases; everything is done by ./setup and meson.
.PHONY: all check bench fmt demo

all:
	./setup build
check:
	./setup check
bench:
	./setup bench
demo:
	./setup demo
fmt:
	git ls-files '*.c' '*.h' '*.cc' | xargs clang-format -i
