// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_packet.h>

#include "condition.h"
#include "data_util.h"
#include "family.h"
#include "fixture.h"

/* Every reason of "ethtool -S" for a drop. */
static const char * const reasons[DATA_DROPS] = {
	"rx_drop_short", "rx_drop_data_v1", "rx_drop_unknown_peer",
	"rx_drop_unknown_key", "rx_drop_auth", "rx_drop_replay", "rx_drop_old",
	"rx_drop_id_zero", "rx_drop_not_ip", "rx_drop_rpf", "rx_drop_ecn",
	"rx_drop_nomem", "rx_drop_crypto", "rx_drop_down", "rx_drop_backlog",
	"tx_drop_not_ip", "tx_drop_no_peer", "tx_drop_no_key",
	"tx_drop_key_used_up", "tx_drop_too_long", "tx_drop_path_mtu",
	"tx_drop_nomem",
	"tx_drop_gso", "tx_drop_checksum", "tx_drop_crypto", "tx_drop_no_route",
	"tx_drop_loop", "tx_drop_backlog", "tx_drop_no_connection",
};

/* ---- the stand ---- */

static int raw_socket(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	if (fd < 0)
		ktap_bail("raw socket: %s", strerror(errno));
	return fd;
}

/* A real host's own default would drop what comes by an unusual way. */
#define NO_RP_FILTER \
	"for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done; "

/*
 * Commands take their time in an emulated guest, so there is but one for each
 * namespace. Of several IPv6 addresses that would do, the kernel takes the one
 * that was added last as a source; of IPv4 ones, the first.
 *
 * A new device has a link-local address and solicits routers with it: packets
 * that would use packet ids of the peer between those of the test.
 */
static void bed_addresses(struct data_bed *bed)
{
	netns_run(bed->near, NO_RP_FILTER "ip -batch - <<-E\n"
		  "link add " NEAR_VETH " type veth peer name " FAR_VETH
		  " netns %s\n"
		  "link set " NEAR_VETH " up\n"
		  "addr add " NEAR4 "/24 dev " NEAR_VETH "\n"
		  "addr add " NEAR4_B "/24 dev " NEAR_VETH "\n"
		  "addr add " NEAR6_B "/64 dev " NEAR_VETH " nodad\n"
		  "addr add " NEAR6 "/64 dev " NEAR_VETH " nodad\n"
		  "link set " TUN " addrgenmode none mtu 1428\n"
		  "addr add " VPN_NEAR4 "/24 dev " TUN "\n"
		  "addr add " VPN_NEAR6 "/64 dev " TUN " nodad\n"
		  "link set " TUN " up\n"
		  "E", netns_path(bed->far));
	netns_run(bed->far, NO_RP_FILTER "ip -batch - <<-E\n"
		  "link set " FAR_VETH " up\n"
		  "addr add " FAR4 "/24 dev " FAR_VETH "\n"
		  "addr add " FAR4_B "/24 dev " FAR_VETH "\n"
		  "addr add " FAR4_C "/24 dev " FAR_VETH "\n"
		  "addr add " FAR6_B "/64 dev " FAR_VETH " nodad\n"
		  "addr add " FAR6 "/64 dev " FAR_VETH " nodad\n"
		  "E");
	condition_link(bed->near, NEAR_VETH);
	condition_link(bed->far, FAR_VETH);
}

static void bed_open(struct data_bed *bed, const struct data_conf *conf)
{
	int ret;

	memset(bed, 0, sizeof(*bed));
	bed->mode = conf->mode;
	bed->near = netns_new("near");
	bed->far = netns_new("far");
	ret = ovpn_link_new(bed->near, TUN, conf->mode);
	if (ret < 0)
		ktap_bail("device: %s: %s", strerror(-ret), ovpn_link_extack());
	bed->ifindex = ret;
	bed_addresses(bed);
	bed->nl = ovpn_nl_open(bed->near);
	bed->ntf = ovpn_listen(bed->near, 0);
	/* or the stack's complaints would be packets to the far end */
	bed->sink = udp_socket(bed->near, "::", DATA_PORT);
	bed->sock = udp_socket(bed->near, conf->bind ? conf->bind : "0.0.0.0",
			       NEAR_PORT);
	bed->tap = packet_socket(bed->near, TUN);
	netns_enter(bed->near);
	bed->raw4 = raw_socket(AF_INET);
	bed->raw6 = raw_socket(AF_INET6);
	netns_enter(netns_home());
}

static void bed_close(struct data_bed *bed)
{
	ovpn_link_del(bed->near, TUN);
	close(bed->sock);
	close(bed->sink);
	close(bed->tap);
	close(bed->raw4);
	close(bed->raw6);
	ovpn_listener_close(bed->ntf);
	ovpn_nl_close(bed->nl);
	netns_free(bed->near);
	netns_free(bed->far);
}

static bool wanted(const struct data_case *c, char **only)
{
	if (c->v2_only && speaks_ovpn())
		return false;
	if (!only || !*only)
		return true;
	for (; *only; only++)
		if (strstr(c->name, *only))
			return true;
	return false;
}

int data_run(const struct data_case *cases, unsigned int count, char **only)
{
	unsigned int i, n = 0;
	struct data_bed bed;

	need_root();
	for (i = 0; i < count; i++)
		n += wanted(&cases[i], only);
	ktap_plan(n);
	for (i = 0; i < count; i++) {
		if (!wanted(&cases[i], only))
			continue;
		bed_open(&bed, &cases[i].conf);
		bed.arg = cases[i].arg;
		cases[i].run(&bed);
		bed_close(&bed);
		ktap_done("%s", cases[i].name);
	}
	return ktap_result();
}

/* ---- the far end ---- */

static bool is_v6(const char *addr)
{
	return strchr(addr, ':');
}

/* What an AF_INET6 socket of OpenVPN knows an IPv4 address as. */
static const char *remote_of(struct data_bed *bed, const char *addr, char *text)
{
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);

	if (getsockname(bed->sock, (struct sockaddr *)&self, &len))
		ktap_bail("getsockname: %s", strerror(errno));
	if (self.ss_family == AF_INET || is_v6(addr))
		return addr;
	snprintf(text, INET6_ADDRSTRLEN, "::ffff:%s", addr);
	return text;
}

void data_key_renew(struct data_far *far, uint16_t alg, size_t len,
		    uint8_t key_id)
{
	wire_key_random(&far->seal, alg, len, key_id);
	wire_key_random(&far->open, alg, len, key_id);
	far->next = 1;
}

int data_key_install(struct data_bed *bed, const struct data_far *far,
		     enum ovpn_key_slot_name slot)
{
	return ovpn_nl_new_key(bed->nl, bed->ifindex, far->id, slot, &far->open,
			       &far->seal);
}

static bool add_peer(struct data_bed *bed, struct data_far *far,
		     const struct data_far_args *args,
		     struct ovpn_peer_args *peer)
{
	bool defaults = !args->ipv4 && !args->ipv6;

	far->id = args->id;
	far->ipv4 = defaults ? VPN_FAR4 : args->ipv4;
	far->ipv6 = defaults ? VPN_FAR6 : args->ipv6;
	data_key_renew(far, args->alg ? args->alg : OVPN_CIPHER_ALG_AES_GCM,
		       args->key_len ? args->key_len : 32, args->key_id);
	peer->id = args->id;
	peer->ipv4 = vpn_of(bed->mode, far->ipv4);
	peer->ipv6 = vpn_of(bed->mode, far->ipv6);
	peer->local = args->local;
	peer->tx_id = args->tx_id;
	peer->interval = args->interval;
	peer->timeout = args->timeout;
	if (!CHECK_ERR(0, ovpn_nl_new_peer(bed->nl, bed->ifindex, peer))) {
		ktap_note("%s", ovpn_nl_extack(bed->nl));
		return false;
	}
	return args->no_key ||
	       CHECK_ERR(0, data_key_install(bed, far, OVPN_KEY_SLOT_PRIMARY));
}

void data_far_connect(struct data_bed *bed, struct data_far *far,
		      const struct data_far_args *args)
{
	const char *addr = args->addr ? args->addr : FAR4;
	int fds[2];

	memset(far, 0, sizeof(*far));
	far->tcp = true;
	far->to = is_v6(addr) ? NEAR6 : NEAR4;
	stream_pair(bed->near, far->to, bed->far, addr, args->tcp, fds);
	far->sock = fds[0];
	far->fd = fds[1];
}

bool data_far_attach(struct data_bed *bed, struct data_far *far,
		     const struct data_far_args *args)
{
	struct ovpn_peer_args peer = { .socket = far->sock };

	return add_peer(bed, far, args, &peer);
}

bool data_far_add(struct data_bed *bed, struct data_far *far,
		  const struct data_far_args *args)
{
	const char *addr = args->addr ? args->addr : FAR4;
	struct ovpn_peer_args peer = {
		.socket = bed->sock,
		.remote = args->remote,
	};
	char text[INET6_ADDRSTRLEN];

	if (args->tcp || getenv(DATA_OVER_TCP)) {
		data_far_connect(bed, far, args);
		return data_far_attach(bed, far, args);
	}
	memset(far, 0, sizeof(*far));
	far->fd = udp_socket(bed->far, addr, args->port);
	far->to = is_v6(addr) ? NEAR6 : NEAR4;
	far->to_port = NEAR_PORT;
	/* the family ovpn wants a local address to look like the remote one */
	if (!peer.remote && args->local && speaks_ovpn())
		peer.remote = addr;
	if (!peer.remote)
		peer.remote = remote_of(bed, addr, text);
	peer.remote_port = udp_port(far->fd);
	return add_peer(bed, far, args, &peer);
}

void data_far_close(struct data_far *far)
{
	close(far->fd);
	far->fd = -1;
	if (far->tcp)
		close(far->sock);
}

bool data_far_send_raw(const struct data_far *far, const void *packet,
		       size_t len)
{
	uint8_t frame[STREAM_MAX];

	if (far->tcp)
		return CHECK_ERR(0, stream_write(far->fd, frame,
						 stream_frame(frame, packet,
							      len)));
	return CHECK_EQ(len, udp_send(far->fd, NULL, far->to, far->to_port,
				      packet, len));
}

bool data_far_send_id(const struct data_far *far, uint32_t packet_id,
		      const void *plain, size_t len)
{
	uint8_t packet[WIRE_MAX];

	len = wire_seal(&far->seal, far->id, packet_id, plain, len, packet);
	return data_far_send_raw(far, packet, len);
}

bool data_far_send(struct data_far *far, const void *plain, size_t len)
{
	return data_far_send_id(far, far->next++, plain, len);
}

void data_stay_on_cpu(void)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		ktap_bail("sched_setaffinity: %m");
}

void data_batch_add_raw(struct data_batch *batch, const void *packet,
			size_t len)
{
	if (!batch->len)
		batch->size = len;
	if (len > batch->size || batch->len % batch->size ||
	    batch->len + len > sizeof(batch->data))
		ktap_bail("no room for %zu bytes in a batch", len);
	memcpy(batch->data + batch->len, packet, len);
	batch->len += len;
}

void data_batch_add(struct data_batch *batch, struct data_far *far,
		    const void *plain, size_t len)
{
	uint8_t packet[WIRE_MAX];

	len = wire_seal(&far->seal, far->id, far->next++, plain, len, packet);
	data_batch_add_raw(batch, packet, len);
}

/*
 * Kernels before 6.11 refuse to send segments where the link has no checksums to
 * offer, as do links that leave nothing to the device: they carry one by one.
 */
bool data_batch_send(const struct data_far *far, struct data_batch *batch)
{
	size_t len = batch->len, at, part;
	cpu_set_t allowed;
	bool good = true;

	batch->len = 0;
	if (!under("offloads-off"))
		return CHECK_EQ(len, udp_send_segments(far->fd, far->to,
						       far->to_port, batch->data,
						       len, batch->size));

	sched_getaffinity(0, sizeof(allowed), &allowed);
	data_stay_on_cpu();
	for (at = 0; good && at < len; at += part) {
		part = len - at < batch->size ? len - at : batch->size;
		good = data_far_send_raw(far, batch->data + at, part);
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	return good;
}

ssize_t data_far_recv_raw(const struct data_far *far, void *packet,
			  int timeout_ms, struct udp_source *source)
{
	if (far->tcp)
		return stream_next(far->fd, packet, timeout_ms);
	return udp_recv(far->fd, packet, WIRE_MAX, timeout_ms, source);
}

ssize_t data_far_recv(const struct data_far *far, void *plain,
		      struct wire_header *header, struct udp_source *source)
{
	uint8_t packet[WIRE_MAX];
	ssize_t len;

	len = data_far_recv_raw(far, packet, DATA_WAIT_MS, source);
	if (len < 0)
		return len;
	len = wire_open(&far->open, packet, len, plain, header);
	return len < 0 ? -EBADMSG : len;
}

/* ---- packets inside ---- */

/* The stack puts an id of its own where a raw packet has none. */
static void ipv4_set_id(uint8_t *packet, uint16_t id)
{
	struct iphdr *ip = (struct iphdr *)packet;
	uint32_t sum = 0;
	unsigned int i;

	ip->id = htons(id ? id : 1);
	ip->check = 0;
	for (i = 0; i < sizeof(*ip); i += 2)
		sum += packet[i] << 8 | packet[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = htons(~(sum + (sum >> 16)));
}

size_t data_inner(void *packet, const char *src, const char *dst, size_t size,
		  unsigned int seed)
{
	size_t head = is_v6(src) ? 48 : 28, i;
	uint8_t data[WIRE_MAX];

	if (size < 50 || size > sizeof(data))
		ktap_bail("inner packet of %zu bytes", size);
	size -= head;
	for (i = 0; i < size; i++)
		data[i] = seed * 31 + i * 7 + (i >> 8);
	size = inner_udp(packet, src, DATA_PORT - 1, dst, DATA_PORT, data,
			 size);
	if (!is_v6(src))
		ipv4_set_id(packet, seed);
	return size;
}

int data_near_send(struct data_bed *bed, const void *packet, size_t len)
{
	const struct ip6_hdr *ip6 = packet;
	const struct iphdr *ip = packet;
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in to = { .sin_family = AF_INET };
	ssize_t ret;

	if (ip->version == 4) {
		to.sin_addr.s_addr = ip->daddr;
		ret = sendto(bed->raw4, packet, len, 0, (struct sockaddr *)&to,
			     sizeof(to));
	} else {
		to6.sin6_addr = ip6->ip6_dst;
		ret = sendto(bed->raw6, packet, len, 0, (struct sockaddr *)&to6,
			     sizeof(to6));
	}
	return ret < 0 ? -errno : 0;
}

/* ---- the two ways, checked ---- */

bool data_to_far(struct data_bed *bed, const struct data_far *far,
		 struct wire_header *header, struct udp_source *source)
{
	static unsigned int seed;
	uint8_t sent[256], got[WIRE_MAX];
	size_t len;

	len = data_inner(sent, VPN_NEAR4, far->ipv4, 100 + seed % 64, seed);
	seed++;
	return CHECK_ERR(0, data_near_send(bed, sent, len)) &&
	       CHECK_EQ(len, data_far_recv(far, got, header, source)) &&
	       CHECK_MEMEQ(sent, got, len);
}

bool data_deliver(struct data_bed *bed, struct data_far *far,
		  uint32_t packet_id, const void *packet, size_t len)
{
	uint8_t got[WIRE_MAX];

	if (!data_far_send_id(far, packet_id ? packet_id : far->next++, packet,
			      len))
		return false;
	return CHECK_EQ(len, packet_recv(bed->tap, got, sizeof(got),
					 DATA_WAIT_MS)) &&
	       CHECK_MEMEQ(packet, got, len);
}

bool data_to_near(struct data_bed *bed, struct data_far *far)
{
	static unsigned int seed;
	uint8_t sent[256];
	size_t len;

	len = data_inner(sent, far->ipv4, VPN_NEAR4, 100 + seed % 64, seed);
	seed++;
	return data_deliver(bed, far, 0, sent, len);
}

bool data_near_empty(struct data_bed *bed)
{
	uint8_t got[WIRE_MAX];

	return CHECK_EQ(-EAGAIN, packet_recv(bed->tap, got, sizeof(got), 0));
}

/* ---- counters ---- */

/* A line of /proc/net/dev: a name, eight fields each for what came and went. */
#define COUNTERS " %16[^:]: %llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu"

void data_dev_counters(struct netns *ns, const char *dev, struct data_dev *c)
{
	char line[512], name[IFNAMSIZ + 1];
	bool found = false;
	FILE *f;

	netns_enter(ns);
	f = fopen("/proc/thread-self/net/dev", "r");
	netns_enter(netns_home());
	if (!f)
		ktap_bail("/proc/thread-self/net/dev: %s", strerror(errno));
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, COUNTERS, name, &c->rx_bytes,
			       &c->rx_packets, &c->rx_errors, &c->rx_dropped,
			       &c->tx_bytes, &c->tx_packets, &c->tx_errors,
			       &c->tx_dropped) == 9 && !strcmp(name, dev);
	fclose(f);
	if (!found)
		ktap_bail("no counters of device %s", dev);
}

void data_drops_read(struct data_bed *bed, struct data_drops *drops)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		drops->count[i] = ethtool_count(bed->near, TUN, reasons[i]);
	data_dev_counters(bed->near, TUN, &drops->dev);
}

bool data_wait_count(struct data_bed *bed, const char *name, uint64_t value)
{
	unsigned long long got, want = value;

	WAIT_FOR(ethtool_count(bed->near, TUN, name) >= value, DATA_WAIT_MS);
	got = ethtool_count(bed->near, TUN, name);
	return CHECK_MSG(got == want, "%s is %llu, wanted %llu", name, got,
			 want);
}

static bool check_more(const char *name, unsigned long long before,
		       unsigned long long now, unsigned long long want)
{
	return CHECK_MSG(now - before == want, "%s: %llu more, wanted %llu",
			 name, now - before, want);
}

bool data_check_drops(struct data_bed *bed, const struct data_drops *before,
		      const char *reason, uint64_t count)
{
	uint64_t rx = 0, tx = 0, want;
	struct data_drops now;
	bool good = true;
	unsigned int i;

	for (i = 0; reason && i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(reason, reasons[i]))
			data_wait_count(bed, reason, before->count[i] + count);
	data_drops_read(bed, &now);
	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		want = reason && !strcmp(reason, reasons[i]) ? count : 0;
		good &= check_more(reasons[i], before->count[i], now.count[i],
				   want);
		*(reasons[i][0] == 'r' ? &rx : &tx) += want;
	}
	good &= check_more("rx_dropped of the device", before->dev.rx_dropped,
			   now.dev.rx_dropped, rx);
	good &= check_more("tx_dropped of the device", before->dev.tx_dropped,
			   now.dev.tx_dropped, tx);
	return good;
}

bool data_check_no_drops(struct data_bed *bed, const struct data_drops *before)
{
	return data_check_drops(bed, before, NULL, 0);
}

int data_wait_ntf(struct data_bed *bed, struct ovpn_ntf *ntf, int timeout_ms)
{
	int ret = ovpn_listener_next(bed->ntf, ntf, timeout_ms);

	return ret == 1 ? 0 : ret ? ret : -ETIMEDOUT;
}

/* ---- the kernel's log ---- */

int data_watch(struct netns *ns, const char *dev)
{
	int fd = packet_socket(ns, dev), off = 0;

	CHECK_EQ(0, setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &off,
			       sizeof(off)));
	return fd;
}

bool data_watch_sealed(int fd, struct data_sealed *sealed)
{
	struct sockaddr_ll from;
	uint8_t packet[128];
	socklen_t size;
	ssize_t len;
	size_t at;

	for (;;) {
		size = sizeof(from);
		memset(packet, 0, sizeof(packet));
		len = recvfrom(fd, packet, sizeof(packet),
			       MSG_DONTWAIT | MSG_TRUNC,
			       (struct sockaddr *)&from, &size);
		if (len <= 0)
			return false;
		at = (packet[0] & 15) * 4 + sizeof(struct udphdr);
		if (from.sll_pkttype != PACKET_OUTGOING ||
		    packet[0] >> 4 != 4 || packet[9] != IPPROTO_UDP ||
		    at > sizeof(packet) - WIRE_HEADER_LEN ||
		    packet[at] >> 3 != WIRE_OP_DATA_V2)
			continue;
		memcpy(&sealed->packet_id, packet + at + 4,
		       sizeof(sealed->packet_id));
		sealed->packet_id = ntohl(sealed->packet_id);
		sealed->len = len - at;
		return true;
	}
}

int data_log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	return fd;
}

unsigned int data_log_count(int fd)
{
	unsigned int lines = 0;
	char record[8192];
	ssize_t len;

	for (;;) {
		len = read(fd, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;	/* overwritten: the next one then */
		if (len <= 0)
			return lines;
		record[len] = '\0';
		/* IPv6 has noticed the carrier: late, on a slow kernel */
		if (strstr(record, "ADDRCONF("))
			continue;
		if (strstr(record, "ovpn") || strstr(record, TUN)) {
			ktap_note("log: %.120s", record);
			lines++;
		}
	}
}
