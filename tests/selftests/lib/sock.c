// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "addr.h"
#include "ktap.h"
#include "netns.h"
#include "wire.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT	103
#endif

union control {
	struct cmsghdr head;	/* for its alignment */
	char room[256];
};

socklen_t addr_make(union addr *a, int family, const char *text, uint16_t port)
{
	char mapped[INET6_ADDRSTRLEN];

	memset(a, 0, sizeof(*a));
	a->sa.sa_family = family;
	if (family == AF_INET) {
		a->in.sin_port = htons(port);
		if (inet_pton(AF_INET, text, &a->in.sin_addr) != 1)
			ktap_bail("not an IPv4 address: %s", text);
		return sizeof(a->in);
	}
	if (!strchr(text, ':')) {
		snprintf(mapped, sizeof(mapped), "::ffff:%s", text);
		text = mapped;
	}
	a->in6.sin6_port = htons(port);
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) != 1)
		ktap_bail("not an IPv6 address: %s", text);
	return sizeof(a->in6);
}

static void print_in6(const struct in6_addr *addr, char *text)
{
	if (IN6_IS_ADDR_V4MAPPED(addr))
		inet_ntop(AF_INET, &addr->s6_addr[12], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr, text, INET6_ADDRSTRLEN);
}

static int family_of(int fd)
{
	socklen_t len = sizeof(int);
	int family;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len))
		ktap_bail("SO_DOMAIN: %m");
	return family;
}

int socket_in(struct netns *ns, int family, int type, int proto)
{
	int back = netns_visit(ns);
	int fd = socket(family, type | SOCK_CLOEXEC, proto);

	if (fd < 0)
		ktap_bail("socket: %m");
	netns_back(back);
	return fd;
}

int udp_socket(struct netns *ns, const char *addr, uint16_t port)
{
	int family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	int fd = socket_in(ns, family, SOCK_DGRAM, 0);
	int on = 1, size = 4 << 20;
	socklen_t len;
	union addr a;

	len = addr_make(&a, family, addr, port);
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)) ||
	    (family == AF_INET6 &&
	     (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) ||
	      setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on)))))
		ktap_bail("PKTINFO, RECVTOS: %m");
	/* bursts are to be lost nowhere but where a test wants it */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, &a.sa, len))
		ktap_bail("cannot bind to %s port %u: %m", addr, port);
	return fd;
}

uint16_t udp_port(int fd)
{
	socklen_t len = sizeof(union addr);
	union addr a;

	if (getsockname(fd, &a.sa, &len))
		ktap_bail("getsockname: %m");
	/* the port is at the same place in both families */
	return ntohs(a.in.sin_port);
}

static void put_source(struct msghdr *msg, int family, const char *from)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct in6_pktinfo *info6;
	struct in_pktinfo *info4;
	union addr a;

	addr_make(&a, family, from, 0);
	if (family == AF_INET) {
		cmsg->cmsg_level = IPPROTO_IP;
		cmsg->cmsg_type = IP_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(*info4));
		info4 = (void *)CMSG_DATA(cmsg);
		info4->ipi_spec_dst = a.in.sin_addr;
	} else {
		cmsg->cmsg_level = IPPROTO_IPV6;
		cmsg->cmsg_type = IPV6_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(*info6));
		info6 = (void *)CMSG_DATA(cmsg);
		info6->ipi6_addr = a.in6.sin6_addr;
	}
	msg->msg_controllen = CMSG_SPACE(cmsg->cmsg_len - CMSG_LEN(0));
}

ssize_t udp_send(int fd, const char *from, const char *to, uint16_t port,
		 const void *data, size_t len)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int family = family_of(fd);
	ssize_t sent;
	union addr a;

	msg.msg_name = &a;
	msg.msg_namelen = addr_make(&a, family, to, port);
	if (from) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		put_source(&msg, family, from);
	}
	sent = sendmsg(fd, &msg, 0);
	return sent < 0 ? -errno : sent;
}

static void get_source(struct msghdr *msg, struct udp_source *source)
{
	const union addr *a = msg->msg_name;
	struct in6_pktinfo info6;
	struct in_pktinfo info4;
	struct cmsghdr *cmsg;
	int tclass;

	memset(source, 0, sizeof(*source));
	source->port = ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in.sin_addr, source->addr,
			  sizeof(source->addr));
	else
		print_in6(&a->in6.sin6_addr, source->addr);
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == IPPROTO_IP &&
		    cmsg->cmsg_type == IP_PKTINFO) {
			memcpy(&info4, CMSG_DATA(cmsg), sizeof(info4));
			inet_ntop(AF_INET, &info4.ipi_addr, source->local,
				  sizeof(source->local));
		} else if (cmsg->cmsg_level == IPPROTO_IPV6 &&
			   cmsg->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info6, CMSG_DATA(cmsg), sizeof(info6));
			print_in6(&info6.ipi6_addr, source->local);
		} else if (cmsg->cmsg_level == IPPROTO_IP &&
			   cmsg->cmsg_type == IP_TOS) {
			source->tos = *CMSG_DATA(cmsg);
		} else if (cmsg->cmsg_level == IPPROTO_IPV6 &&
			   cmsg->cmsg_type == IPV6_TCLASS) {
			memcpy(&tclass, CMSG_DATA(cmsg), sizeof(tclass));
			source->tos = tclass;
		}
	}
}

void udp_set_tos(int fd, uint8_t tos)
{
	int value = tos;

	if (setsockopt(fd, IPPROTO_IP, IP_TOS, &value, sizeof(value)) ||
	    (family_of(fd) == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof(value))))
		ktap_bail("IP_TOS: %m");
}

ssize_t udp_send_segments(int fd, const char *to, uint16_t port,
			  const void *data, size_t len, int size)
{
	int none = 0;
	ssize_t sent;

	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		return -errno;
	sent = udp_send(fd, NULL, to, port, data, len);
	setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof(none));
	return sent;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

ssize_t udp_recv(int fd, void *data, size_t size, int timeout_ms,
		 struct udp_source *source)
{
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union addr a;
	struct msghdr msg = {
		.msg_name = &a,
		.msg_namelen = sizeof(a),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len;

	if (!readable(fd, timeout_ms))
		return -EAGAIN;
	len = recvmsg(fd, &msg, MSG_DONTWAIT);
	if (len < 0)
		return -errno;
	if (source)
		get_source(&msg, source);
	return len;
}

bool udp_quiet(int fd, int ms)
{
	return !readable(fd, ms);
}

void tcp_socket_pair(struct netns *ns, int fds[2])
{
	int listener = socket_in(ns, AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(union addr);
	union addr a;

	addr_make(&a, AF_INET, "127.0.0.1", 0);
	fds[0] = socket_in(ns, AF_INET, SOCK_STREAM, 0);
	if (bind(listener, &a.sa, sizeof(a.in)) || listen(listener, 1) ||
	    getsockname(listener, &a.sa, &len) ||
	    connect(fds[0], &a.sa, sizeof(a.in)))
		ktap_bail("cannot connect over loopback: %m");
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fds[1] < 0)
		ktap_bail("accept: %m");
	close(listener);
}

int packet_socket(struct netns *ns, const char *dev)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = netns_ifindex(ns, dev),
	};
	int fd = socket_in(ns, AF_PACKET, SOCK_DGRAM, 0);
	int on = 1;

	if (!ll.sll_ifindex || bind(fd, (struct sockaddr *)&ll, sizeof(ll)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)))
		ktap_bail("cannot open a packet socket on %s: %m", dev);
	return fd;
}

ssize_t packet_send(int fd, const void *packet, size_t len)
{
	struct sockaddr_ll ll;
	socklen_t size = sizeof(ll);
	ssize_t sent;

	if (getsockname(fd, (struct sockaddr *)&ll, &size))
		ktap_bail("getsockname: %m");
	ll.sll_protocol = htons(*(const uint8_t *)packet >> 4 == 6 ?
				ETH_P_IPV6 : ETH_P_IP);
	ll.sll_halen = 0;
	sent = sendto(fd, packet, len, 0, (struct sockaddr *)&ll, sizeof(ll));
	return sent < 0 ? -errno : sent;
}

ssize_t packet_recv(int fd, void *packet, size_t size, int timeout_ms)
{
	ssize_t len;

	if (!readable(fd, timeout_ms))
		return -EAGAIN;
	len = recv(fd, packet, size, MSG_DONTWAIT);
	return len < 0 ? -errno : len;
}
