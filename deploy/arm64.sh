#!/usr/bin/env bash
# Runs the demos in a Debian root for 64-bit Arm, under QEMU, and compares what they say with this machine (x86-64).
#
#     sudo deploy/arm64.sh FOLDER          all of it; FOLDER keeps the root and both environments, some 2 GB
#     sudo deploy/arm64.sh FOLDER COMMAND… a command in the root, such as: /opt/eiq/bin/eiq-demo doctor
#
# Needs Debian's debootstrap, qemu-user-static and python3-venv, and to be root. Run again it goes on where it is: the root
# is made once, the environments again when the checkout's wheel changed. Its mounts are in namespaces of their own, and are
# gone with them, however the script ends. Copied into the root: resolv.conf, certificates, pip's configuration.
# EIQ_MODELS names a folder with a model for label_image.yaml (see parity.py).
set -euo pipefail

QEMU=/usr/bin/qemu-aarch64-static
BINFMT=/proc/sys/fs/binfmt_misc
SUITE=bookworm
EXTRAS=desktop,rt,onnx,classical
# What an i.MX 8M has. QEMU's default, "max", has SME, with which XNNPACK answers wrong without a word (docs/deploy.md).
export QEMU_CPU=cortex-a53

say() { echo "arm64: $*" >&2; }
fail() { say "$*"; exit 1; }

need() {
    [ "$(id -u)" = 0 ] || fail "must be root, to make a Debian root; run it with sudo"
    local tool
    for tool in debootstrap "$QEMU" unshare python3; do
        command -v "$tool" >/dev/null || fail "needs $tool; sudo apt-get install debootstrap qemu-user-static python3-venv"
    done
}

# The kernel is told to start Arm's programs with QEMU; taken back at the end if it was this script that told it.
register() {
    [ -e $BINFMT/register ] || mount -t binfmt_misc binfmt_misc $BINFMT 2>/dev/null ||
        fail "cannot mount binfmt_misc; a container needs --privileged for it"
    [ ! -e $BINFMT/qemu-aarch64 ] || return 0
    cat /usr/lib/binfmt.d/qemu-aarch64.conf >$BINFMT/register || fail "the kernel refuses qemu-aarch64 in binfmt_misc"
    trap 'echo -1 >$BINFMT/qemu-aarch64' EXIT
}

# The mirror that this machine's apt uses for Debian; debootstrap has one of its own where that is none.
mirror() {
    { apt-get indextargets --format '$(SITE) $(ORIGIN) $(CODENAME)' "Created-By: Packages" 2>/dev/null || true; } |
        awk -v suite=$SUITE '$2 == "Debian" && $3 == suite && !found++ {print $1}'
}

# An Arm program reads what processors there are in /proc/cpuinfo; the host's would tell it of x86.
cpuinfo() {
    local n
    for ((n = 0; n < $(nproc); n++)); do
        printf 'processor\t: %d\nBogoMIPS\t: 16.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid\n' "$n"
        printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 4\n\n'
    done
}

# inside COMMAND…: in the root. HOME and PATH are the root's; what pip is told by PIP_*, and proxies, stay as they are.
inside() {
    local set=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TMPDIR=/tmp)
    env "${set[@]}" unshare --mount bash -euc '
        root=$1 cpuinfo=$2
        shift 2
        mount --rbind /proc "$root/proc"
        mount --bind "$cpuinfo" "$root/proc/cpuinfo"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        exec chroot "$root" "$@"' inside "$root" "$folder/cpuinfo" "$@"
}

make_root() {
    [ ! -e "$folder/root.made" ] || return 0
    say "making a Debian $SUITE root for arm64 in $root; some minutes"
    rm -rf "$root"
    local where
    where=$(mirror)
    debootstrap --arch=arm64 --foreign --variant=minbase --include=ca-certificates,gcc,libc6-dev,libportaudio2,python3-venv \
        $SUITE "$root" ${where:+"$where"} >"$folder/debootstrap.log" || fail "debootstrap failed; see $folder/debootstrap.log"
    inside /debootstrap/debootstrap --second-stage >>"$folder/debootstrap.log" ||
        fail "debootstrap's second stage failed; see $folder/debootstrap.log"
    touch "$folder/root.made"
}

# Names, certificates and pip's configuration are this machine's, as they are now.
lend() {
    local file
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
        [ ! -e "$file" ] || cp -L "$file" "$root$file"
    done
    for file in .config/pip/pip.conf .pip/pip.conf; do
        [ ! -e "$HOME/$file" ] || install -D -m 600 "$HOME/$file" "$root/root/$file"
    done
}

# environment WHERE MARK RUN…: makes WHERE/bin/python have the wheel, and notes in MARK which; RUN starts that machine's commands.
environment() {
    local where=$1 mark=$2
    shift 2
    [ "$(cat "$mark" 2>/dev/null)" != "$sum" ] || return 0
    say "installing [$EXTRAS] in $where"
    "$@" python3 -m venv --clear "$where"
    "$@" "$where/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$in/constraints.txt" \
        "$in/${wheel}[$EXTRAS]"
    echo "$sum" >"$mark"
}

here() { "$@"; }

run_all() {
    local in wheel sum
    rm -rf "$folder/wheel"
    [ -x "$folder/build/bin/python" ] || python3 -m venv "$folder/build"
    "$folder/build/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$folder/wheel" "$checkout"
    wheel=$(basename "$folder"/wheel/*.whl)
    mkdir -p "$root/opt/in" "$root/opt/models"
    cp "$folder/wheel/$wheel" "$checkout/constraints.txt" "$checkout/deploy/parity.py" "$root/opt/in/"
    sum=$(echo $EXTRAS | cat - "$folder/wheel/$wheel" "$checkout/constraints.txt" | sha256sum)
    in=$root/opt/in environment "$folder/x86_64" "$folder/x86_64.made" here
    in=/opt/in environment /opt/eiq "$folder/arm64.made" inside

    [ -z "${EIQ_MODELS:-}" ] || cp "$EIQ_MODELS"/*.tflite "$root/opt/models/"
    export EIQ_MODELS=$root/opt/models
    "$folder/x86_64/bin/python" "$root/opt/in/parity.py" pictures "$root/opt/pictures"
    (cd "$folder" && x86_64/bin/python "$root/opt/in/parity.py" take x86_64.json "$root/opt/pictures")
    EIQ_MODELS=/opt/models inside /opt/eiq/bin/python /opt/in/parity.py take /opt/aarch64.json /opt/pictures
    cp "$root/opt/aarch64.json" "$folder/aarch64.json"
    "$folder/x86_64/bin/python" "$checkout/deploy/parity.py" compare "$folder/x86_64.json" "$folder/aarch64.json"
}

[ $# -ge 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
need
checkout=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
root=$folder/root
shift
cpuinfo >"$folder/cpuinfo"
register
make_root
lend
if [ $# -gt 0 ]; then inside "$@"; else run_all; fi
