/* SPDX-License-Identifier: GPL-2.0-only */
/* For kernels before 6.12, which do not have this header */
#ifndef _OVPN_COMPAT_LINUX_UNALIGNED_H
#define _OVPN_COMPAT_LINUX_UNALIGNED_H

#include <asm/unaligned.h>

#endif /* _OVPN_COMPAT_LINUX_UNALIGNED_H */
