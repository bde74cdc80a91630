/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The family's header next to the system's if_link.h, which since Linux 6.16
 * gives the in-tree driver's constants the same names.
 */
#ifndef _SELFTEST_UAPI_H
#define _SELFTEST_UAPI_H

#define ovpn_mode		ovpn_mode_of_tree
#define OVPN_MODE_P2P		OVPN_MODE_P2P_OF_TREE
#define OVPN_MODE_MP		OVPN_MODE_MP_OF_TREE
#define IFLA_OVPN_UNSPEC	IFLA_OVPN_UNSPEC_OF_TREE
#define IFLA_OVPN_MODE		IFLA_OVPN_MODE_OF_TREE
#include <linux/if_link.h>
#undef ovpn_mode
#undef OVPN_MODE_P2P
#undef OVPN_MODE_MP
#undef IFLA_OVPN_UNSPEC
#undef IFLA_OVPN_MODE
#undef IFLA_OVPN_MAX
#include <linux/ovpn_dco.h>

#endif /* _SELFTEST_UAPI_H */
