/* SPDX-License-Identifier: GPL-2.0-only */
/* Large datagrams: what the network stack has merged is taken in as it is. */
#ifndef _OVPN_GRO_H
#define _OVPN_GRO_H

struct ovpn_socket;

void ovpn_gro_attach(struct ovpn_socket *os);
void ovpn_gro_detach(struct ovpn_socket *os);

int ovpn_gro_register(void);
void ovpn_gro_unregister(void);

#endif /* _OVPN_GRO_H */
