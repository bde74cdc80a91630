// SPDX-License-Identifier: GPL-2.0-only
/* Large datagrams: what the network stack has merged is taken in as it is.
 *
 * A sender's UDP GSO packet stays whole on its way through virtual links, and
 * GRO merges what a network card has received. UDP hands such packets whole to
 * a socket that asks for it (UDP_GRO), unless the socket is a tunnel's, whose
 * packets might be large for another reason: those have to be marked as meant for
 * a tunnel. Nobody marks ours, so it is done here, by a netfilter hook, on
 * their way to the socket; and only there: for drivers the mark means another
 * way to cut the packet.
 */

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/sock.h>
#include <net/udp.h>

#include "compat/compat.h"
#include "device.h"
#include "gro.h"
#include "receive.h"
#include "transport.h"
#include "wire.h"

/**
 * struct gro_net - what belongs to a network namespace
 * @lock: guards @sockets and whether the hooks are registered, for writers;
 *	inside a socket's lock
 * @sockets: our UDP sockets; hooks walk them under RCU
 */
struct gro_net {
	struct mutex lock; /* see above */
	struct list_head sockets;
};

static unsigned int gro_net_id;

/* Is there a socket of ours at that port that wants large packets? One of
 * another address at the same port is rare, and sees no difference unless it
 * is a tunnel's as well, which can open them too.
 */
static bool wanted(const struct gro_net *gro, __be16 port)
{
	const struct ovpn_socket *os;
	const struct ovpn_dev *ovpn;

	list_for_each_entry_rcu(os, &gro->sockets, gro) {
		if (inet_sk(os->sk)->inet_sport != port)
			continue;
		ovpn = rcu_dereference(os->ovpn);
		if (ovpn && READ_ONCE(ovpn->udp_gro))
			return true;
	}
	return false;
}

/* Control packets are userspace's: UDP shall cut what has one */
static bool all_data(const struct sk_buff *skb, unsigned int offset)
{
	unsigned int size = skb_shinfo(skb)->gso_size;
	const u8 *first;

	for (; offset < skb->len; offset += size) {
		first = ovpn_receive_range(skb, offset, sizeof(*first));
		if (!first || *first >> OVPN_OPCODE_SHIFT != OVPN_OP_DATA_V2)
			return false;
	}
	return true;
}

static noinline void mark_large(struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	const struct udphdr *uh;
	struct udphdr buf;

	if (skb_shinfo(skb)->gso_type != SKB_GSO_UDP_L4)
		return;
	/* Whoever has a clone, as tcpdump does, would see the mark */
	if (skb_cloned(skb))
		return;
	if (state->pf == NFPROTO_IPV4 ? ip_hdr(skb)->protocol != IPPROTO_UDP :
					ipv6_hdr(skb)->nexthdr != IPPROTO_UDP)
		return;

	uh = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buf),
				&buf);
	if (uh && wanted(net_generic(state->net, gro_net_id), uh->dest) &&
	    all_data(skb, skb_transport_offset(skb) + sizeof(*uh)))
		skb_shinfo(skb)->gso_type |= SKB_GSO_UDP_TUNNEL;
}

/* Called for all packets to this host: the rest is out of the way of most */
static unsigned int mark(void *priv, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	if (unlikely(skb_is_gso(skb)))
		mark_large(skb, state);
	return NF_ACCEPT;
}

static const struct nf_hook_ops hooks[] = {
	{
		.hook = mark,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = INT_MAX,
	}, {
		.hook = mark,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = INT_MAX,
	},
};

/**
 * ovpn_gro_attach - have a socket get large packets
 * @os: a UDP socket that is being attached; its socket lock is held
 *
 * Without memory, or in a kernel without netfilter, UDP cuts what was merged. So it
 * does in a kernel that would not ask for our mark, and hand over merged control
 * packets as well.
 *
 * Context: process, may sleep.
 */
void ovpn_gro_attach(struct ovpn_socket *os)
{
	struct net *net = sock_net(os->sk);
	struct gro_net *gro = net_generic(net, gro_net_id);

	os->gro_before = compat_udp_get_gro(os->sk);
	mutex_lock(&gro->lock);
	if (compat_udp_looks_at_marks() &&
	    (!list_empty(&gro->sockets) ||
	     !compat_nf_register_net_hooks(net, hooks, ARRAY_SIZE(hooks)))) {
		list_add_rcu(&os->gro, &gro->sockets);
		compat_udp_set_gro(os->sk, true);
	} else {
		INIT_LIST_HEAD(&os->gro);
	}
	mutex_unlock(&gro->lock);
}

/**
 * ovpn_gro_detach - undo ovpn_gro_attach()
 * @os: the socket, which is freed no sooner than a grace period later; its
 *	socket lock is held
 *
 * Context: process, may sleep.
 */
void ovpn_gro_detach(struct ovpn_socket *os)
{
	struct net *net = sock_net(os->sk);
	struct gro_net *gro = net_generic(net, gro_net_id);

	compat_udp_set_gro(os->sk, os->gro_before);
	if (list_empty(&os->gro))
		return;
	mutex_lock(&gro->lock);
	list_del_rcu(&os->gro);
	if (list_empty(&gro->sockets))
		compat_nf_unregister_net_hooks(net, hooks, ARRAY_SIZE(hooks));
	mutex_unlock(&gro->lock);
}

static int __net_init gro_net_init(struct net *net)
{
	struct gro_net *gro = net_generic(net, gro_net_id);

	mutex_init(&gro->lock);
	INIT_LIST_HEAD(&gro->sockets);
	return 0;
}

static struct pernet_operations gro_net_ops = {
	.init = gro_net_init,
	.id = &gro_net_id,
	.size = sizeof(struct gro_net),
};

/**
 * ovpn_gro_register - before the first socket is attached
 *
 * Context: process, may sleep.
 * Return: 0 or an errno.
 */
int ovpn_gro_register(void)
{
	return register_pernet_subsys(&gro_net_ops);
}

/**
 * ovpn_gro_unregister - after the last socket is free
 *
 * Context: process, may sleep.
 */
void ovpn_gro_unregister(void)
{
	unregister_pernet_subsys(&gro_net_ops);
}
