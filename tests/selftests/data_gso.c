// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bulk: large packets cut by the module, all ways in which the stack hands
 * them over, with the module at both ends and with libcrypto at the other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>

#include "data_util.h"
#include "family.h"

#define BULK		(2 << 20)
#define CHUNK		65536
#define PEER_ID		66
#define TCP_PORT	5001

static const struct data_far_args one = { .id = PEER_ID };

/* ---- the module at the far end, too ---- */

struct far_device {
	struct ovpn_nl *nl;
	uint32_t ifindex;
};

/* Takes over the socket and the keys of a far end made for libcrypto. */
static bool far_device_add(struct data_bed *bed, struct data_far *far,
			   struct far_device *dev)
{
	struct ovpn_peer_args peer = {
		.id = PEER_ID,
		.remote = far->to,
		.remote_port = NEAR_PORT,
		.ipv4 = vpn_of(OVPN_MODE_P2P, VPN_NEAR4),
		.ipv6 = vpn_of(OVPN_MODE_P2P, VPN_NEAR6),
	};
	int ret;

	if (!data_far_add(bed, far, &one))
		return false;
	peer.remote = far->to;
	peer.socket = far->fd;
	dev->nl = ovpn_nl_open(bed->far);
	ret = ovpn_link_new(bed->far, TUN, OVPN_MODE_P2P);
	if (!CHECK_GE(1, ret))
		return false;
	dev->ifindex = ret;
	netns_run(bed->far, "ip link set " TUN " addrgenmode none");
	netns_addr(bed->far, TUN, VPN_FAR4 "/24");
	netns_addr(bed->far, TUN, VPN_FAR6 "/64");
	netns_up(bed->far, TUN);
	return CHECK_ERR(0, ovpn_nl_new_peer(dev->nl, dev->ifindex, &peer)) &&
	       CHECK_ERR(0, ovpn_nl_new_key(dev->nl, dev->ifindex, PEER_ID,
					    OVPN_KEY_SLOT_PRIMARY, &far->seal,
					    &far->open));
}

static void far_device_close(struct data_bed *bed, struct data_far *far,
			     struct far_device *dev)
{
	ovpn_link_del(bed->far, TUN);
	ovpn_nl_close(dev->nl);
	data_far_close(far);
}

/* ---- one TCP transfer, with a digest at both ends ---- */

enum way { BY_WRITE, BY_SENDFILE };

struct transfer {
	int listener;
	int sender;
	enum way way;
	size_t received;
	bool same;
	uint8_t sent_digest[32];
};

static void *receiver(void *arg)
{
	struct timeval limit = { .tv_sec = 20 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t buf[CHUNK], digest[32];
	struct transfer *t = arg;
	ssize_t len;
	int fd;

	setsockopt(t->listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	while ((len = read(fd, buf, sizeof(buf))) > 0) {
		EVP_DigestUpdate(ctx, buf, len);
		t->received += len;
	}
	EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	close(fd);
	/* the sender wrote its own before the last of the data */
	t->same = !len && !memcmp(digest, t->sent_digest, sizeof(digest));
	return NULL;
}

/* A file in memory with a pattern that no page of it shares with another. */
static int pattern_file(uint8_t digest[32])
{
	int fd = memfd_create("pattern", MFD_CLOEXEC);
	uint32_t *words, x = 2463534242U;
	size_t i;

	if (fd < 0 || ftruncate(fd, BULK))
		ktap_bail("memfd: %s", strerror(errno));
	words = mmap(NULL, BULK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		ktap_bail("mmap: %s", strerror(errno));
	for (i = 0; i < BULK / sizeof(*words); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		words[i] = x;
	}
	EVP_Digest(words, BULK, digest, NULL, EVP_sha256(), NULL);
	munmap(words, BULK);
	return fd;
}

static size_t send_file(int fd, int file, enum way way)
{
	static uint8_t buf[CHUNK];
	size_t done = 0;
	off_t off = 0;
	ssize_t len;

	while (done < BULK) {
		if (way == BY_SENDFILE) {
			len = sendfile(fd, file, &off, BULK - done);
		} else {
			len = pread(file, buf, sizeof(buf), done);
			len = len > 0 ? send(fd, buf, len, MSG_NOSIGNAL) : -1;
		}
		if (len <= 0)
			break;
		done += len;
	}
	return done;
}

static socklen_t tcp_addr(struct sockaddr_storage *addr, const char *text)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in *in = (struct sockaddr_in *)addr;

	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(TCP_PORT);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(TCP_PORT);
	inet_pton(AF_INET6, text, &in6->sin6_addr);
	return sizeof(*in6);
}

static int tcp_in(struct netns *ns, int family)
{
	int on = 1, fd;

	netns_enter(ns);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	netns_enter(netns_home());
	if (fd < 0)
		ktap_bail("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return fd;
}

/* From one namespace to an address in another; true if all is well. */
static bool bulk(struct netns *from, struct netns *to, const char *addr,
		 enum way way)
{
	struct timeval limit = { .tv_sec = 20 };
	struct transfer t = { .way = way };
	struct sockaddr_storage ss;
	socklen_t len = tcp_addr(&ss, addr);
	int file = pattern_file(t.sent_digest);
	pthread_t thread;
	size_t sent = 0;
	bool good;

	t.listener = tcp_in(to, ss.ss_family);
	t.sender = tcp_in(from, ss.ss_family);
	good = CHECK_EQ(0, bind(t.listener, (struct sockaddr *)&ss, len)) &&
	       CHECK_EQ(0, listen(t.listener, 1)) &&
	       CHECK_EQ(0, pthread_create(&thread, NULL, receiver, &t));
	if (!good)
		return false;
	setsockopt(t.sender, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (CHECK_EQ(0, connect(t.sender, (struct sockaddr *)&ss, len)))
		sent = send_file(t.sender, file, way);
	close(t.sender);
	pthread_join(thread, NULL);
	close(t.listener);
	close(file);
	return CHECK_EQ(BULK, sent) && CHECK_EQ(BULK, t.received) &&
	       CHECK_MSG(t.same, "what arrived is not what was sent");
}

static bool bulk_both_ways(struct data_bed *bed, enum way way)
{
	return bulk(bed->near, bed->far, VPN_FAR4, way) &&
	       bulk(bed->far, bed->near, VPN_NEAR4, way) &&
	       bulk(bed->near, bed->far, VPN_FAR6, way);
}

/* ---- offloads ---- */

static void set_feature(struct netns *ns, const char *dev, uint32_t cmd,
			bool on)
{
	struct ethtool_value value = { .cmd = cmd, .data = on };
	struct ifreq ifr = { .ifr_data = (void *)&value };
	int fd = udp_socket(ns, "0.0.0.0", 0);

	strncpy(ifr.ifr_name, dev, IFNAMSIZ - 1);
	CHECK_MSG(!ioctl(fd, SIOCETHTOOL, &ifr),
		  "feature of ethtool command %#x: %s", cmd, strerror(errno));
	close(fd);
}

/* The largest packet that a watcher saw. */
static size_t largest(int fd)
{
	size_t most = 0;
	uint8_t byte;
	ssize_t len;

	while ((len = recv(fd, &byte, 1, MSG_TRUNC | MSG_DONTWAIT)) > 0)
		if ((size_t)len > most)
			most = len;
	return most;
}

static void bulk_default(struct data_bed *bed)
{
	struct far_device dev;
	struct data_drops before;
	struct data_far far;
	int watch;

	if (!far_device_add(bed, &far, &dev))
		return;
	data_drops_read(bed, &before);
	bulk_both_ways(bed, BY_WRITE);
	/* some of it has to come in whole, or this shows nothing */
	watch = data_watch(bed->near, TUN);
	bulk(bed->near, bed->far, VPN_FAR4, BY_WRITE);
	CHECK_GE(2 * 1300, largest(watch));
	close(watch);
	data_check_no_drops(bed, &before);
	far_device_close(bed, &far, &dev);
}

static void bulk_sendfile(struct data_bed *bed)
{
	struct far_device dev;
	struct data_far far;

	if (!far_device_add(bed, &far, &dev))
		return;
	bulk_both_ways(bed, BY_SENDFILE);
	far_device_close(bed, &far, &dev);
}

static void bulk_watched(struct data_bed *bed)
{
	struct far_device dev;
	struct data_far far;
	int watch[4];
	unsigned int i;

	if (!far_device_add(bed, &far, &dev))
		return;
	watch[0] = data_watch(bed->near, TUN);
	watch[1] = data_watch(bed->near, NEAR_VETH);
	watch[2] = data_watch(bed->far, TUN);
	watch[3] = data_watch(bed->far, FAR_VETH);
	bulk_both_ways(bed, BY_WRITE);
	bulk(bed->near, bed->far, VPN_FAR4, BY_SENDFILE);
	for (i = 0; i < 4; i++) {
		CHECK_GE(1000, largest(watch[i]));
		close(watch[i]);
	}
	far_device_close(bed, &far, &dev);
}

/* One after the other, then all at once. */
static void bulk_without_offloads(struct data_bed *bed)
{
	static const uint32_t features[] = {
		ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SSG, ETHTOOL_STXCSUM,
	};
	struct far_device dev;
	struct data_far far;
	unsigned int i;

	if (!far_device_add(bed, &far, &dev))
		return;
	for (i = 0; ktap_good() && i < ARRAY_SIZE(features); i++) {
		set_feature(bed->near, TUN, features[i], false);
		bulk(bed->near, bed->far, VPN_FAR4, BY_WRITE);
		bulk(bed->near, bed->far, VPN_FAR6, BY_SENDFILE);
		set_feature(bed->near, TUN, features[i], true);
	}
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		set_feature(bed->near, TUN, features[i], false);
		set_feature(bed->far, TUN, features[i], false);
	}
	set_feature(bed->near, TUN, ETHTOOL_SGRO, false);
	set_feature(bed->far, TUN, ETHTOOL_SGRO, false);
	bulk_both_ways(bed, BY_WRITE);
	far_device_close(bed, &far, &dev);
}

/* Other devices underneath: one that offloads nothing, one that does GRO. */
static void bulk_over_plain_link(struct data_bed *bed)
{
	static const uint32_t features[] = {
		ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SSG, ETHTOOL_STXCSUM,
	};
	struct far_device dev;
	struct data_far far;
	unsigned int i;

	if (!far_device_add(bed, &far, &dev))
		return;
	set_feature(bed->near, NEAR_VETH, ETHTOOL_SGRO, true);
	set_feature(bed->far, FAR_VETH, ETHTOOL_SGRO, true);
	bulk_both_ways(bed, BY_WRITE);
	for (i = 0; i < ARRAY_SIZE(features); i++) {
		set_feature(bed->near, NEAR_VETH, features[i], false);
		set_feature(bed->far, FAR_VETH, features[i], false);
	}
	bulk_both_ways(bed, BY_SENDFILE);
	far_device_close(bed, &far, &dev);
}

/* How many large datagrams or small ones left through a link that is watched, and how
 * many of them behind others that should have come later.
 */
static unsigned int count_sealed(int fd, unsigned int *overtaken)
{
	struct data_sealed sealed;
	unsigned int seen = 0;
	uint32_t highest = 0;

	*overtaken = 0;
	while (data_watch_sealed(fd, &sealed)) {
		seen++;
		*overtaken += sealed.packet_id < highest;
		if (sealed.packet_id > highest)
			highest = sealed.packet_id;
	}
	return seen;
}

/* A queue that tells flows by their sockets, and lets none send faster: one packet
 * is one flow, however many large datagrams it becomes.
 */
static void bulk_paced(struct data_bed *bed)
{
	unsigned int overtaken;
	int watch, size = 64 << 20;
	struct far_device dev;
	struct data_far far;

	if (netns_sh(bed->near, "tc qdisc add dev " NEAR_VETH
		     " root fq maxrate 32mbit flow_limit 1000 2>/dev/null")) {
		ktap_skip("this kernel has no fq");
		return;
	}
	if (!far_device_add(bed, &far, &dev))
		return;
	/* As large as packets can be, in spite of that. Linux 5.10 cannot. */
	netns_sh(bed->near,
		 "sysctl -q -w net.ipv4.tcp_tso_rtt_log=20 2>/dev/null");
	watch = data_watch(bed->near, NEAR_VETH);
	CHECK_EQ(0, setsockopt(watch, SOL_SOCKET, SO_RCVBUFFORCE, &size,
			       sizeof(size)));
	bulk(bed->near, bed->far, VPN_FAR4, BY_WRITE);
	CHECK_GE(10, count_sealed(watch, &overtaken));
	/* Others send now and then, the kernel itself for one */
	CHECK_RANGE(0, 2, overtaken);
	close(watch);
	far_device_close(bed, &far, &dev);
}

/* A machine on the way, as the host of a container is one: it notes when packets arrive,
 * because somebody there asked for it, and sends them when they are due. The time at
 * which an inner packet was due, or only what clock it was on, is of no use to it.
 */
static void bulk_forwarded(struct data_bed *bed)
{
	struct netns *between = netns_new("between");
	struct far_device dev;
	struct data_far far;
	int asks, on = 1;

	netns_run(bed->far, "ip link set " FAR_VETH " netns %s",
		  netns_path(between));
	netns_up(between, FAR_VETH);
	netns_veth(between, "onward", bed->far, FAR_VETH);
	netns_addr(bed->far, FAR_VETH, FAR4 "/24");
	if (netns_sh(between, "tc qdisc add dev onward root fq 2>/dev/null")) {
		ktap_skip("this kernel has no fq");
		netns_free(between);
		return;
	}
	netns_run(between, "cd /proc/sys/net/ipv4\n"
		  "echo 1 >ip_forward\n"
		  "for dev in " FAR_VETH " onward; do\n"
		  "	echo 1 >conf/$dev/proxy_arp\n"
		  "	echo 0 >neigh/$dev/proxy_delay\n"
		  "done\n"
		  "ip route add " NEAR4 " dev " FAR_VETH "\n"
		  "ip route add " FAR4 " dev onward");
	asks = udp_socket(between, "127.0.0.1", 0);
	CHECK_EQ(0, setsockopt(asks, SOL_SOCKET, SO_TIMESTAMPNS, &on,
			       sizeof(on)));
	if (far_device_add(bed, &far, &dev)) {
		bulk(bed->near, bed->far, VPN_FAR4, BY_WRITE);
		bulk(bed->near, bed->far, VPN_FAR6, BY_WRITE);
		far_device_close(bed, &far, &dev);
	}
	close(asks);
	netns_free(between);
}

/* A queue in front of the device that has given back what the packets were charged
 * with: they have their socket, for which each holds one reference. One given back
 * twice is what the kernel's log would tell.
 */
static void bulk_uncharged(struct data_bed *bed)
{
	struct far_device dev;
	struct data_far far;

	if (netns_sh(bed->near, "tc qdisc add dev " TUN
		     " root netem delay 1ms 2>/dev/null")) {
		ktap_skip("this kernel has no netem");
		return;
	}
	if (!far_device_add(bed, &far, &dev))
		return;
	bulk(bed->near, bed->far, VPN_FAR4, BY_WRITE);
	bulk(bed->near, bed->far, VPN_FAR6, BY_WRITE);
	far_device_close(bed, &far, &dev);
}

/* The tunnel's packets do not fit the link: fragments outside. */
static void bulk_large_mtu(struct data_bed *bed)
{
	struct far_device dev;
	struct data_far far;

	if (!far_device_add(bed, &far, &dev))
		return;
	netns_run(bed->near, "ip link set " TUN " mtu 9000");
	netns_run(bed->far, "ip link set " TUN " mtu 9000");
	bulk_both_ways(bed, BY_WRITE);
	far_device_close(bed, &far, &dev);
}

/* ---- datagrams, with the module at both ends ---- */

static void fill(uint8_t *data, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = i * 13 + (i >> 8) + seed;
}

static void check_datagram(int from, int to, const char *addr, size_t len)
{
	static uint8_t sent[WIRE_MAX], got[WIRE_MAX];

	fill(sent, len, len);
	if (!CHECK_EQ(len, udp_send(from, NULL, addr, DATA_PORT, sent, len)) ||
	    !CHECK_EQ(len, udp_recv(to, got, sizeof(got), DATA_WAIT_MS, NULL)))
		return;
	CHECK_MEMEQ(sent, got, len);
}

/* Have packets sent that the path does not carry whole: in fragments */
static void ignore_path(struct netns *ns)
{
	CHECK_ERR(0, ethtool_set_flag(ns, TUN, "path-mtu", false));
}

static void large_datagrams(struct data_bed *bed)
{
	static const size_t sizes[] = { 1, 1400, 1401, 8000, 30000, 65507 };
	int from4, from6, to4, to6;
	struct far_device dev;
	struct data_far far;
	unsigned int i, mtu;

	if (!far_device_add(bed, &far, &dev))
		return;
	ignore_path(bed->near);
	ignore_path(bed->far);
	from4 = udp_socket(bed->near, VPN_NEAR4, 0);
	from6 = udp_socket(bed->near, VPN_NEAR6, 0);
	to4 = udp_socket(bed->far, VPN_FAR4, DATA_PORT);
	to6 = udp_socket(bed->far, VPN_FAR6, DATA_PORT);
	for (mtu = 1280; mtu <= 40000; mtu *= 5) {
		netns_run(bed->near, "ip link set " TUN " mtu %u", mtu);
		netns_run(bed->far, "ip link set " TUN " mtu %u", mtu);
		for (i = 0; ktap_good() && i < ARRAY_SIZE(sizes); i++) {
			check_datagram(from4, to4, VPN_FAR4, sizes[i]);
			check_datagram(from6, to6, VPN_FAR6, sizes[i]);
		}
	}
	close(from4);
	close(from6);
	close(to4);
	close(to6);
	far_device_close(bed, &far, &dev);
}

/* A sender that asks when its packets leave is told. */
static void told_when_sent(struct data_bed *bed)
{
	static const uint8_t data[5 * 1000];
	int what = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
		   SOF_TIMESTAMPING_OPT_TSONLY;
	struct pollfd told = { 0 };
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	told.fd = udp_socket(bed->near, VPN_NEAR4, 0);
	CHECK_EQ(0, setsockopt(told.fd, SOL_SOCKET, SO_TIMESTAMPING, &what,
			       sizeof(what)));
	CHECK_EQ(sizeof(data), udp_send_segments(told.fd, VPN_FAR4, DATA_PORT,
						 data, sizeof(data), 1000));
	CHECK_EQ(1, poll(&told, 1, DATA_WAIT_MS));
	CHECK(told.revents & POLLERR);
	close(told.fd);
	data_far_close(&far);
}

/* ---- private flags ---- */

/* Switches all of them, one after the other, as fast as it can. */
struct switcher {
	struct data_bed *bed;
	bool stop;
	unsigned int switched;
	int err;
};

static void *switch_flags(void *arg)
{
	static const char *const names[] = {
		"udp-gso", "udp-gro", "path-mtu", "copy-ecn", "copy-dscp",
		"loose-rpf",
	};
	struct switcher *s = arg;
	struct netns *ns;
	const char *name;
	unsigned int i;

	for (i = 0; !s->err && !__atomic_load_n(&s->stop, __ATOMIC_SEQ_CST); i++) {
		ns = i & 1 ? s->bed->near : s->bed->far;
		name = names[i / 2 % ARRAY_SIZE(names)];
		s->err = ethtool_set_flag(ns, TUN, name,
					  !ethtool_get_flag(ns, TUN, name));
		s->switched++;
	}
	return NULL;
}

#define BURST		12
#define BURST_LEN	1200

/* A few datagrams in one go; all of them have to arrive. */
static bool burst(int from, int to, const char *addr, unsigned int seed)
{
	uint8_t sent[BURST * BURST_LEN], got[2048];
	unsigned int i;

	fill(sent, sizeof(sent), seed);
	if (!CHECK_EQ(sizeof(sent),
		      udp_send_segments(from, addr, DATA_PORT, sent,
					sizeof(sent), BURST_LEN)))
		return false;
	for (i = 0; i < BURST; i++)
		if (!CHECK_EQ(BURST_LEN, udp_recv(to, got, sizeof(got),
						  DATA_WAIT_MS, NULL)) ||
		    !CHECK_MEMEQ(sent + i * BURST_LEN, got, BURST_LEN))
			return false;
	return true;
}

/* They are for packets to come: those that are under way get there. */
static void flags_switched(struct data_bed *bed)
{
	struct switcher s = { .bed = bed };
	struct data_drops before;
	struct far_device dev;
	struct data_far far;
	pthread_t thread;
	int from, to, i;

	if (!far_device_add(bed, &far, &dev))
		return;
	data_drops_read(bed, &before);
	from = udp_socket(bed->near, VPN_NEAR4, 0);
	to = udp_socket(bed->far, VPN_FAR4, DATA_PORT);
	if (!CHECK_EQ(0, pthread_create(&thread, NULL, switch_flags, &s)))
		return;
	for (i = 0; i < 150; i++)
		if (!burst(from, to, VPN_FAR4, i) ||
		    !burst(to, bed->sink, VPN_NEAR4, i))
			break;
	bulk_both_ways(bed, BY_WRITE);
	__atomic_store_n(&s.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	CHECK_ERR(0, s.err);
	/* or this shows nothing */
	CHECK_GE(100, s.switched);
	data_check_no_drops(bed, &before);
	close(from);
	close(to);
	far_device_close(bed, &far, &dev);
}

/* ---- what is cut, as the wire shows it ---- */

/* One send of several datagrams; the far end is libcrypto. */
static void check_segments(struct data_bed *bed, struct data_far *far,
			   const char *src, const char *dst, size_t total,
			   int size)
{
	uint8_t sent[WIRE_MAX], got[WIRE_MAX];
	int fd = udp_socket(bed->near, src, 0);
	struct wire_header h = { 0 };
	struct inner in = { 0 };
	uint32_t first = 0;
	size_t off, want;
	ssize_t len;

	fill(sent, total, size);
	CHECK_EQ(total, udp_send_segments(fd, dst, DATA_PORT, sent, total,
					  size));
	for (off = 0; ktap_good() && off < total; off += want) {
		want = total - off < (size_t)size ? total - off : (size_t)size;
		len = data_far_recv(far, got, &h, NULL);
		if (!CHECK_GE(1, len) || !CHECK(inner_parse(got, len, &in)))
			break;
		first = first ? first : h.packet_id;
		CHECK_EQ(first + off / size, h.packet_id);
		CHECK_STREQ(src, in.src);
		CHECK_STREQ(dst, in.dst);
		CHECK_EQ(udp_port(fd), in.sport);
		CHECK(in.checksums_good);
		if (CHECK_EQ(want, in.len))
			CHECK_MEMEQ(sent + off, in.data, want);
	}
	CHECK(udp_quiet(far->fd, 0));
	close(fd);
}

static void udp_segments(struct data_bed *bed)
{
	struct data_drops before;
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	check_segments(bed, &far, VPN_NEAR4, VPN_FAR4, 12000, 1200);
	check_segments(bed, &far, VPN_NEAR4, VPN_FAR4, 5001, 1000);
	check_segments(bed, &far, VPN_NEAR4, VPN_FAR4, 64 * 100, 100);
	check_segments(bed, &far, VPN_NEAR6, VPN_FAR6, 12000, 1200);
	check_segments(bed, &far, VPN_NEAR6, VPN_FAR6, 3333, 1111);
	check_segments(bed, &far, VPN_NEAR4, VPN_FAR4, 700, 1000);
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

static uint16_t sum16(const uint8_t *data, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Of addresses, protocol and length: what both checksums start from. */
static uint16_t tcp_pseudo(const uint8_t *ip, size_t tcp_len)
{
	bool v6 = ip[0] >> 4 == 6;

	return sum16(ip + (v6 ? 8 : 12), v6 ? 32 : 8, IPPROTO_TCP + tcp_len);
}

#define SEGMENTS	5
#define SEGMENT_LEN		1000

/* A TCP packet of many segments, its checksums left to be done. */
static size_t make_tcp(uint8_t *packet, bool v6, size_t data_len)
{
	size_t head = v6 ? 40 : 20, len = head + 20 + data_len;
	struct tcphdr *tcp = (struct tcphdr *)(packet + head);
	struct ip6_hdr *ip6 = (struct ip6_hdr *)packet;
	struct iphdr *ip = (struct iphdr *)packet;

	memset(packet, 0, head + 20);
	if (v6) {
		ip6->ip6_vfc = 0x60;
		ip6->ip6_plen = htons(len - head);
		ip6->ip6_nxt = IPPROTO_TCP;
		ip6->ip6_hlim = 64;
		inet_pton(AF_INET6, VPN_NEAR6, &ip6->ip6_src);
		inet_pton(AF_INET6, VPN_FAR6, &ip6->ip6_dst);
	} else {
		ip->version = 4;
		ip->ihl = 5;
		ip->tot_len = htons(len);
		ip->id = htons(100);
		ip->ttl = 64;
		ip->protocol = IPPROTO_TCP;
		inet_pton(AF_INET, VPN_NEAR4, &ip->saddr);
		inet_pton(AF_INET, VPN_FAR4, &ip->daddr);
		ip->check = htons(~sum16(packet, 20, 0));
	}
	tcp->source = htons(1111);
	tcp->dest = htons(2222);
	tcp->seq = htonl(1000000);
	tcp->ack_seq = htonl(77);
	tcp->doff = 5;
	tcp->ack = 1;
	tcp->psh = 1;
	tcp->window = htons(5000);
	tcp->check = htons(tcp_pseudo(packet, len - head));
	fill(packet + head + 20, data_len, 5);
	return len;
}

static void check_tcp_segment(const uint8_t *whole, const uint8_t *got,
			      size_t len, unsigned int i)
{
	bool v6 = whole[0] >> 4 == 6, last = i == SEGMENTS - 1;
	size_t head = v6 ? 40 : 20;
	const struct tcphdr *tcp = (const struct tcphdr *)(got + head);
	size_t want = last ? 321 : SEGMENT_LEN;

	if (!CHECK_EQ(head + 20 + want, len))
		return;
	CHECK_EQ(len, (got[v6 ? 4 : 2] << 8 | got[v6 ? 5 : 3]) +
		      (v6 ? head : 0));
	if (!v6) {
		CHECK_EQ(0xffff, sum16(got, 20, 0));
		CHECK_EQ(100 + i, got[4] << 8 | got[5]);
	}
	CHECK_EQ(1000000 + i * SEGMENT_LEN, ntohl(tcp->seq));
	CHECK_EQ(last, tcp->psh);
	CHECK_EQ(0xffff, sum16(got + head, len - head,
			       tcp_pseudo(got, len - head)));
	CHECK_MEMEQ(whole + head + 20 + i * SEGMENT_LEN, got + head + 20, want);
}

/* Handed to the device as a virtual machine's network card would do it. */
static void check_tcp_gso(struct data_bed *bed, struct data_far *far, bool v6)
{
	const struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
				 VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (v6 ? 40 : 20) + 20,
		.gso_size = SEGMENT_LEN,
		.csum_start = v6 ? 40 : 20,
		.csum_offset = 16,
	};
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP),
		.sll_ifindex = bed->ifindex,
	};
	uint8_t out[sizeof(hdr) + 8192], *packet = out + sizeof(hdr);
	uint8_t got[WIRE_MAX];
	unsigned int i;
	int on = 1, fd;
	ssize_t len;

	memcpy(out, &hdr, sizeof(hdr));
	len = sizeof(hdr);
	len += make_tcp(packet, v6, (SEGMENTS - 1) * SEGMENT_LEN + 321);
	netns_enter(bed->near);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	netns_enter(netns_home());
	CHECK_EQ(0, setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on,
			       sizeof(on)));
	CHECK_EQ(len, sendto(fd, out, len, 0, (struct sockaddr *)&ll,
			     sizeof(ll)));
	for (i = 0; ktap_good() && i < SEGMENTS; i++) {
		len = data_far_recv(far, got, NULL, NULL);
		if (CHECK_GE(40, len))
			check_tcp_segment(packet, got, len, i);
	}
	CHECK(udp_quiet(far->fd, 0));
	close(fd);
}

static void tcp_segments(struct data_bed *bed)
{
	struct data_drops before;
	struct data_far far;

	if (!data_far_add(bed, &far, &one))
		return;
	data_drops_read(bed, &before);
	check_tcp_gso(bed, &far, false);
	check_tcp_gso(bed, &far, true);
	data_check_no_drops(bed, &before);
	data_far_close(&far);
}

/* A packet that nobody cuts, its checksum still to be done. */
static void checksum_left(struct data_bed *bed)
{
	static const size_t sizes[] = { 1, 7, 100, 1399, 1400 };
	uint8_t data[2048], got[WIRE_MAX];
	struct inner in = { 0 };
	struct data_far far;
	unsigned int i, v6;
	ssize_t len;
	int fd;

	if (!data_far_add(bed, &far, &one))
		return;
	for (v6 = 0; v6 < 2; v6++) {
		fd = udp_socket(bed->near, v6 ? VPN_NEAR6 : VPN_NEAR4, 0);
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			size_t size = sizes[i] - (v6 && sizes[i] > 1300 ? 20 : 0);

			fill(data, size, i);
			udp_send(fd, NULL, v6 ? VPN_FAR6 : VPN_FAR4, DATA_PORT,
				 data, size);
			len = data_far_recv(&far, got, NULL, NULL);
			if (!CHECK_GE(1, len) ||
			    !CHECK(inner_parse(got, len, &in)))
				break;
			CHECK(in.checksums_good);
			if (CHECK_EQ(size, in.len))
				CHECK_MEMEQ(data, in.data, size);
		}
		close(fd);
	}
	data_far_close(&far);
}

/* What is redirected to the device has been asked for no MTU. */
static void too_long(struct data_bed *bed)
{
	static const uint8_t data[65490];
	struct data_drops before;
	struct data_far far;
	int fd;

	if (!data_far_add(bed, &far, &one))
		return;
	if (netns_sh(bed->near, "exec 2>/dev/null; tc qdisc add dev lo clsact &&\n"
		     "tc filter add dev lo egress matchall action mirred egress \\\n"
		     "redirect dev " TUN)) {
		ktap_skip("this kernel cannot redirect (act_mirred)");
		data_far_close(&far);
		return;
	}
	ignore_path(bed->near);
	data_drops_read(bed, &before);
	fd = udp_socket(bed->near, "127.0.0.1", 0);
	CHECK_EQ(sizeof(data), udp_send(fd, NULL, "127.0.0.1", DATA_PORT, data,
					sizeof(data)));
	data_wait_count(bed, "tx_drop_too_long", 1);
	CHECK(data_check_drops(bed, &before, "tx_drop_too_long", 1));
	CHECK(udp_quiet(far.fd, 100));
	netns_run(bed->near, "tc qdisc del dev lo clsact");
	close(fd);
	data_to_far(bed, &far, NULL, NULL);
	data_far_close(&far);
}

int main(int argc, char **argv)
{
	static const struct data_case cases[] = {
		{ "UDP packets cut", .run = udp_segments },
		{ "TCP packets cut", .run = tcp_segments },
		{ "checksums left to the device", .run = checksum_left },
		{ "TCP bulk", .run = bulk_default },
		{ "TCP bulk with sendfile", .run = bulk_sendfile },
		{ "TCP bulk with packet sockets on all devices",
		  .run = bulk_watched },
		{ "TCP bulk without offloads", .run = bulk_without_offloads },
		{ "TCP bulk over links with GRO and without offloads",
		  .run = bulk_over_plain_link },
		{ "TCP bulk through a queue with flows", .run = bulk_paced },
		{ "TCP bulk that is forwarded when it is due", .run = bulk_forwarded },
		{ "TCP bulk behind a queue that takes the charge off",
		  .run = bulk_uncharged },
		{ "TCP bulk with a large MTU", .run = bulk_large_mtu },
		{ "large datagrams", .run = large_datagrams },
		{ "told when it leaves", .run = told_when_sent },
		{ "longer than any MTU", .run = too_long },
		{ "private flags switched", .run = flags_switched },
	};

	(void)argc;
	return data_run(cases, ARRAY_SIZE(cases), argv + 1);
}
