/* SPDX-License-Identifier: GPL-2.0-only */
/* For kernels before 6.5, which do not have this header */
#ifndef _OVPN_COMPAT_NET_GSO_H
#define _OVPN_COMPAT_NET_GSO_H

#include <linux/netdevice.h>

#endif /* _OVPN_COMPAT_NET_GSO_H */
