# What an admin and a packager need; `make help` lists it.

CARGO = cargo
INSTALL = install
# Where the built tools are; packagers and tests may have them elsewhere.
BUILD = target/release
DESTDIR =
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/jitsi-recording-pipeline
SHAREDIR = $(PREFIX)/share/jitsi-recording-pipeline
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/vendor-completions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d

TOOLS = jitsi-finalize jitsi-hls-worker notion-patch rec-check rec-hook rec-ls rec-url
PAGES = jitsi-finalize.8 jitsi-hls-worker.8 notion-patch.1 rec-check.8 rec-hook.1 rec-ls.1 rec-url.1 recording-pipeline.7 recording-pipeline.env.5
GUIDES = caddy.md jibri-debian.md jibri-docker.md watch.md watch-dark.png watch-light.png watch-phone.png webhooks-optilearn.md webhooks-reflector.md
UNITS = jitsi-hls-worker.path jitsi-hls-worker.service jitsi-hls-worker.timer rec-hook.service rec-hook.timer
# What an admin copies to where it takes effect; the directory's name says where that is.
EXAMPLES = cron.d/jitsi-hls-worker cron.d/rec-hook logrotate.d/jitsi-recording-pipeline $(UNITS:%=systemd/%) \
	sysusers.d/jitsi-recording-pipeline.conf tmpfiles.d/jitsi-recording-pipeline.conf
WATCH = $(notdir $(wildcard etc/watch/*))
SCRIPTS = .ci/run tests/newcomer.sh tests/newcomer/sudo tests/newcomer/sudoedit tests/newcomer/systemctl etc/dist.sh etc/debian/package.sh etc/debian/tools.sh etc/debian/postinst etc/debian/prerm etc/debian/postrm tests/debian/tree.sh tests/debian/enter.sh tests/fuzz/run.sh tests/run.sh tests/demo.sh tests/needs.sh tests/cron.sh tests/caddy/fetch.sh tests/bench/finalize.sh

.PHONY: help all test test-long check lint man-lint demo bench bench-hls soak soak-hooks fuzz install uninstall deb dist newcomer clean

help:
	@echo 'make demo           run the whole pipeline on a real MP4 (make demo MP4=path for your own)'
	@echo 'make test           run the tests (minutes)'
	@echo 'make test-long      run those that take long: browsers, the rest of large tables, the package in a Debian'
	@echo 'make check          formatting, clippy, man pages, shell scripts, and the tests'
	@echo 'make bench          measure against the bash scripts and against find(1)'
	@echo 'make bench-hls      measure every profile against the script and the ladder of its article (an hour)'
	@echo 'make soak           kill the tools 1,000 times while recordings come and Notion fails; count what is lost (ROUNDS= SEED=)'
	@echo 'make soak-hooks     deliver webhooks through failures and sudden deaths (EVENTS=1000 KILLS=200 SEED=)'
	@echo 'make fuzz           feed every reader of foreign bytes what a fuzzer comes up with (SECONDS=60 each, TARGETS=)'
	@echo 'make newcomer       install the package as the README says, in a copy of this machine, and watch a recording'
	@echo 'make all            build the tools for installation'
	@echo 'make install        install them below $(PREFIX) (DESTDIR=, PREFIX=)'
	@echo 'make uninstall      remove what make install put there'
	@echo 'make deb            build a package for Debian 12 and later: target/debian/*.deb'
	@echo 'make dist           build programs for any Linux, also for the container of Jibri: target/dist/*.tar.gz'

all:
	$(CARGO) build --release --locked --workspace --bins

test:
	@sh tests/needs.sh cargo ffmpeg ffprobe
	@sh tests/run.sh

test-long:
	@sh tests/needs.sh cargo ffmpeg ffprobe
	@sh tests/run.sh --long

check: lint test

lint:
	@$(MAKE) --no-print-directory man-lint
	@sh tests/needs.sh cargo shellcheck mandoc
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --package rec-core --features fault-points --locked -- -D warnings
	shellcheck $(SCRIPTS)

man-lint:
	@sh tests/needs.sh mandoc
	mandoc -Tlint -Wwarning $(PAGES:%=man/%)

# As it was given: a name may hold quotes, blanks and dollar signs.
ifdef MP4
override MP4 := $(value MP4)
export MP4
endif

demo:
	@sh tests/needs.sh cargo ffmpeg ffprobe
	@sh tests/demo.sh

# PARTS='finalize worker flush ls' leaves the others out.
bench:
	@sh tests/needs.sh ffmpeg ffprobe jq curl find
	$(CARGO) bench --locked -p pipeline-tests --bench pipeline -- $(PARTS)

# CLIPS='slides camera-720 long jobs' leaves the others out; ROUNDS=5 repeats it more often, PROFILES=480p measures only that; VMAF_FFMPEG=path names an ffmpeg with libvmaf.
bench-hls:
	@sh tests/needs.sh ffmpeg ffprobe taskset
	$(CARGO) bench --locked -p pipeline-tests --bench hls -- $(CLIPS)

# ROUNDS=1000 SEED=7: so many deaths, and what a run prints before it begins.
soak:
	@sh tests/needs.sh cargo ffmpeg ffprobe
	SOAK_ROUNDS='$(ROUNDS)' SOAK_SEED='$(SEED)' \
		$(CARGO) test --quiet --locked --features rec-core/fault-points -p pipeline-tests --test soak_deaths

# EVENTS=1000 KILLS=200 SEED=7, of which a run prints what it took.
soak-hooks:
	@sh tests/needs.sh cargo
	SOAK_EVENTS='$(EVENTS)' SOAK_KILLS='$(KILLS)' SOAK_SEED='$(SEED)' \
		$(CARGO) test --quiet --locked -p pipeline-tests --test soak

# SECONDS=60 for each reader, TARGETS='mp4 ts' leaves the others out. It wants a nightly compiler and cargo-fuzz.
fuzz:
	@sh tests/needs.sh cargo
	@FUZZ_SECONDS='$(SECONDS)' sh tests/fuzz/run.sh $(TARGETS)

# Set NOBUILD=1 to install what an earlier `make all` has built.
install:
	$(if $(NOBUILD),,$(CARGO) build --release --locked --workspace --bins)
	$(INSTALL) -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(DOCDIR)/docs" "$(DESTDIR)$(DOCDIR)/examples" \
		"$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" "$(DESTDIR)$(FISHDIR)"
	for tool in $(TOOLS); do \
		$(INSTALL) -m 755 "$(BUILD)/$$tool" "$(DESTDIR)$(BINDIR)/$$tool" && \
		"$(BUILD)/$$tool" --generate-completion bash > "$(DESTDIR)$(BASHDIR)/$$tool" && \
		"$(BUILD)/$$tool" --generate-completion zsh > "$(DESTDIR)$(ZSHDIR)/_$$tool" && \
		"$(BUILD)/$$tool" --generate-completion fish > "$(DESTDIR)$(FISHDIR)/$$tool.fish" || exit 1; \
	done
	for page in $(PAGES); do \
		$(INSTALL) -d "$(DESTDIR)$(MANDIR)/man$${page##*.}" && \
		$(INSTALL) -m 644 man/$$page "$(DESTDIR)$(MANDIR)/man$${page##*.}/$$page" || exit 1; \
	done
	$(INSTALL) -m 644 README.md CHANGELOG.md LICENSE LICENSE-APACHE LICENSE-MIT "$(DESTDIR)$(DOCDIR)"
	$(INSTALL) -m 644 $(GUIDES:%=docs/%) "$(DESTDIR)$(DOCDIR)/docs"
	$(INSTALL) -m 644 etc/recording-pipeline.env.example "$(DESTDIR)$(DOCDIR)/examples"
	for file in $(EXAMPLES); do \
		$(INSTALL) -d "$(DESTDIR)$(DOCDIR)/examples/$${file%/*}" && \
		from=etc/$$file && { [ -e $$from ] || from=$$file; } && \
		sed 's|/usr/local/bin/|$(BINDIR)/|' $$from > "$(DESTDIR)$(DOCDIR)/examples/$$file" || exit 1; \
	done
	$(INSTALL) -d "$(DESTDIR)$(SHAREDIR)/watch"
	sed 's|/usr/share/jitsi-recording-pipeline/|$(SHAREDIR)/|' etc/Caddyfile > "$(DESTDIR)$(SHAREDIR)/Caddyfile"
	$(INSTALL) -m 644 etc/caddy/recordings.conf "$(DESTDIR)$(SHAREDIR)"
	for file in $(WATCH); do $(INSTALL) -m 644 etc/watch/$$file "$(DESTDIR)$(SHAREDIR)/watch" || exit 1; done

uninstall:
	for tool in $(TOOLS); do \
		rm -f "$(DESTDIR)$(BINDIR)/$$tool" "$(DESTDIR)$(BASHDIR)/$$tool" "$(DESTDIR)$(ZSHDIR)/_$$tool" \
			"$(DESTDIR)$(FISHDIR)/$$tool.fish"; \
	done
	for page in $(PAGES); do rm -f "$(DESTDIR)$(MANDIR)/man$${page##*.}/$$page"; done
	for file in README.md CHANGELOG.md LICENSE LICENSE-APACHE LICENSE-MIT \
		$(GUIDES:%=docs/%) $(addprefix examples/,recording-pipeline.env.example $(EXAMPLES)); do \
		rm -f "$(DESTDIR)$(DOCDIR)/$$file"; \
	done
	for file in Caddyfile recordings.conf $(WATCH:%=watch/%); do rm -f "$(DESTDIR)$(SHAREDIR)/$$file"; done
	for dir in $(sort $(dir $(EXAMPLES))); do rmdir "$(DESTDIR)$(DOCDIR)/examples/$$dir"; done
	-rmdir "$(DESTDIR)$(SHAREDIR)/watch" "$(DESTDIR)$(SHAREDIR)"
	-rmdir "$(DESTDIR)$(DOCDIR)/docs" "$(DESTDIR)$(DOCDIR)/examples" "$(DESTDIR)$(DOCDIR)"

# NOBUILD=1 and BUILD= as above; DEB_VERSION=1.2.3-1 for another version than that of Cargo.toml.
deb:
	$(if $(NOBUILD),,$(CARGO) build --release --locked --workspace --bins)
	@sh etc/debian/tools.sh
	@sh etc/debian/package.sh "$(BUILD)" $(DEB_VERSION)

# Without a library of the system's, so that they run wherever Linux does.
dist:
	@sh etc/dist.sh "$(CARGO)"

# Installs the package in a copy of this machine, word for word as the README says, up to a recording that plays. KEEP=1 leaves the copy.
newcomer:
	@bash tests/newcomer.sh

clean:
	$(CARGO) clean
