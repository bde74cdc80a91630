/* SPDX-License-Identifier: GPL-2.0-only */
/* Small packets wait for each other, when there are many. */
#ifndef _OVPN_COALESCE_H
#define _OVPN_COALESCE_H

#include <linux/kconfig.h>
#include <linux/types.h>

struct ovpn_coalescer;
struct ovpn_dev;
struct sk_buff;

/* How long, to a single peer, unless the user says otherwise, and at most, in
 * microseconds. Where whoever sends may be interrupted for long, others would wait for
 * that.
 */
#define OVPN_TX_USECS		(IS_ENABLED(CONFIG_PREEMPT_RT) ? 0 : 50)
#define OVPN_TX_USECS_MAX	1000

/* So many in a second, through one queue, are many unless the user says otherwise:
 * while one is held, another one comes. And what a user may say at most.
 */
#define OVPN_TX_RATE		20000
#define OVPN_TX_RATE_MAX	100000000

int ovpn_coalesce_init(struct ovpn_dev *ovpn);
void ovpn_coalesce_start(struct ovpn_dev *ovpn);
void ovpn_coalesce_stop(struct ovpn_dev *ovpn);
void ovpn_coalesce_free(struct ovpn_dev *ovpn);

bool ovpn_coalesce_hold(struct ovpn_dev *ovpn, struct sk_buff *skb,
			bool nested);

#endif /* _OVPN_COALESCE_H */
