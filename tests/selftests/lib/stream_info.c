// SPDX-License-Identifier: GPL-2.0-only
/* In a file of its own: libc's header of this name knows less, and clashes. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "ktap.h"
#include "stream.h"

unsigned int stream_segments(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		ktap_bail("TCP_INFO: %m");
	return info.tcpi_data_segs_out;
}
