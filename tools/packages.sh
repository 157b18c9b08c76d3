# Debian 12 packages by purpose; sourced by tools/install.
packages_build="g++ meson ninja-build pkg-config ca-certificates
  libboost1.81-dev libnl-3-dev libnl-route-3-dev libssl-dev libfmt-dev doctest-dev
  libpugixml-dev libedit-dev libnftables-dev libre2-dev"
# AES-GCM for the userspace data plane, on x86-64 only; built without it OpenSSL does all.
[ "$(dpkg --print-architecture)" != amd64 ] || packages_build="$packages_build libipsec-mb-dev"
# What the lab's stand-ins are made of.
packages_lab="iproute2 openssl kmod nftables iputils-ping procps python3 iperf3 bird2
  charon-systemd strongswan-swanctl libstrongswan-standard-plugins
  libstrongswan-extra-plugins libcharon-extra-plugins"
# BGP speakers to compare with and to talk to; BIRD is among the lab's.
packages_test="tshark tcpdump clang-format bgpdump python3-scapy
  frr gobgpd openbgpd exabgp"
# The kernel image itself is only unpacked (tests/vm/run), never installed.
packages_vm="qemu-system-x86 busybox-static cpio kmod"
# Peers that exclude strongSwan's packages or start by themselves, with their libraries: unpacked as well (tests/vm/peer_packages).
packages_vm_unpacked="libreswan libunbound8 libldns3 libnss3 libnspr4 libnss3-tools
  libevent-core-2.1-7 libevent-pthreads-2.1-7 libcap-ng0 libcurl3-nss libldap-2.5-0
  openiked libevent-2.1-7"
