/* SPDX-License-Identifier: GPL-2.0-only */
/* For kernels from 7.1 on, which need no such thing */
