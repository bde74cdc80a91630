// SPDX-License-Identifier: GPL-2.0-only
/* The TCP transport: packets in a byte stream that userspace writes and reads
 * as well.
 *
 * Receiving: the kernel reads the stream as it comes in, takes the data packets
 * out, and keeps the others, with their length in front, for userspace, whose
 * recvmsg() reads those as if they were all that there was: as a stream, or one
 * at a time, see ovpn_abi.packets.
 *
 * Sending: sealed packets are queued, because whoever sends may hold the lock
 * of any socket, this one included. A work item writes them out, many at a time.
 * Nobody starts to write while the other one is inside a packet.
 *
 * An owner can still do harm to its own tunnel: SO_RCVLOWAT has TCP call us
 * later, splice() and TCP_ZEROCOPY_RECEIVE read past us, and a thread that is
 * inside recv() or send() when the socket is attached stays with TCP.
 */

#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sockios.h>
#include <linux/uio.h>
#include <linux/wait_bit.h>
#include <net/mptcp.h>
#include <net/sch_generic.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <asm/ioctls.h>

#include "compat/compat.h"
#include "device.h"
#include "framer.h"
#include "peer.h"
#include "receive.h"
#include "transport.h"
#include "wire.h"

/* Packets written at a time, and so many are opened at a time */
#define BATCH			64

/* Bytes queued for one peer: the sender is stopped above the first, woken below
 * the second, and what exceeds the third, because it could not be stopped, is
 * dropped.
 */
#define QUEUE_STOP		(256 * 1024)
#define QUEUE_WAKE		(QUEUE_STOP / 2)
#define QUEUE_MAX		(1024 * 1024)

/* What TCP has taken and not sent yet is in front of userspace's packets as well:
 * no more than what leaves in an eighth of a second by TCP's own estimate, or so
 * many bytes
 */
#define UNSENT_SHIFT		3
#define UNSENT_MIN		(64 * 1024)

/* How long a blocking send() waits before it looks whose the socket is */
#define SEND_WAIT		(HZ / 4)

/* Control packets that userspace has not read yet, in bytes of memory: more
 * stay in TCP's queue, and the other end has to wait. The smallest limit: a
 * socket with a larger receive buffer may have more.
 */
#define CONTROL_MAX		(256 * 1024)

/**
 * struct ovpn_tcp - what a TCP socket has on top of struct ovpn_socket
 * @os: the socket
 * @work: writes what is queued, or reads what memory was short for, or what came
 *	before the peer
 * @wanted: @work found the socket locked, and is queued when it is unlocked
 * @framer: the stream coming in
 * @control: packets for userspace, with their length in front; the first may
 *	have been read in part
 * @control_len: how many bytes those are
 * @control_size: how much memory they take
 * @held_back: reading stopped because of @control_size
 * @short_of_memory: reading stopped because of that
 * @queue: packets to send, with their length in front; with a lock of its own
 * @queued: bytes in @queue and in @sending; guarded by the lock of @queue
 * @stopped: the device may not send; guarded by the lock of @queue
 * @sending: packets being written; the first may be in part
 * @partial: it is
 * @user_left: how many bytes userspace has still to write of a packet that it
 *	has begun
 * @user_header: the length in front of that packet, as far as it has come
 * @user_header_len: how many bytes of @user_header have come
 * @nonagle: the socket's setting before we came, to put back
 * @data_ready: the socket's own callback
 * @write_space: likewise
 * @state_change: likewise
 * @vec: for writing
 *
 * Where nothing else is said, the socket lock guards a field.
 */
struct ovpn_tcp {
	struct ovpn_socket *os;
	struct delayed_work work;
	bool wanted;

	struct ovpn_framer framer;
	struct sk_buff_head control;
	unsigned int control_len;
	unsigned int control_size;
	bool held_back;
	bool short_of_memory;

	struct sk_buff_head queue;
	unsigned int queued;
	bool stopped;
	struct sk_buff_head sending;
	bool partial;
	unsigned int user_left;
	u16 user_header;
	u8 user_header_len;

	u8 nonagle;
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	struct kvec vec[BATCH];
};

/* The kernel's own, and those that our sockets have instead. There is one of
 * IPv6 only if the kernel had IPv6 when we came.
 */
static const struct proto *base_v6;
static struct proto ovpn_tcp_v4, ovpn_tcp_v6;

/* Calls that are inside one of our socket functions */
static atomic_t calls_inside = ATOMIC_INIT(0);

static const struct proto *base_of(const struct sock *sk)
{
	return sk->sk_family == AF_INET ? &tcp_prot : base_v6;
}

static bool tcp_owns(const struct sock *sk)
{
	/* Before sk_user_data is looked at, see tcp_attach() */
	const struct proto *prot = smp_load_acquire(&sk->sk_prot);

	return prot == &ovpn_tcp_v4 || prot == &ovpn_tcp_v6;
}

/* With the socket lock, or within rcu_read_lock, held. NULL if it is not ours
 * any more.
 */
static struct ovpn_socket *socket_of(const struct sock *sk)
{
	if (!tcp_owns(sk))
		return NULL;
	return rcu_dereference_check(__sk_user_data(sk),
				     lockdep_sock_is_held(sk));
}

/* The system calls below are found through sk->sk_prot without any lock: one
 * may be about to begin, or asleep in here, when the socket is given back. It
 * is then begun anew, and finds TCP's own functions: so nobody sleeps in here
 * for longer than we have the socket. Those that do not sleep go on in TCP's own
 * from here, because not everybody who calls can begin anew: io_uring cannot.
 */
static void call_enter(void)
{
	atomic_inc(&calls_inside);
}

static void call_leave(void)
{
	if (atomic_dec_and_test(&calls_inside))
		wake_up_var(&calls_inside);
}

/* --- Receiving ----------------------------------------------------------- */

/**
 * struct reading - one look at what has come in
 * @os: the socket
 * @ovpn: the device, or NULL: then data packets are nobody's
 * @data: data packets, not yet opened
 * @control: there was something for userspace
 * @err: what ended it, if not the end of the data
 */
struct reading {
	struct ovpn_socket *os;
	struct ovpn_dev *ovpn;
	struct sk_buff_head data;
	bool control;
	int err;
};

static void open_data(struct reading *reading)
{
	struct ovpn_socket *os = reading->os;
	struct ovpn_peer *peer = rcu_dereference(os->peer);
	struct sk_buff *skb;

	if (unlikely(!peer)) {
		ovpn_drop_queue(reading->ovpn, NULL, &reading->data,
				OVPN_DROP_RX_UNKNOWN_PEER);
		return;
	}
	while ((skb = __skb_dequeue(&reading->data)))
		ovpn_receive(peer, skb);
}

/* A packet is complete: whose is it? */
static void sort(struct reading *reading, struct sk_buff *skb)
{
	struct ovpn_tcp *tcp = reading->os->tcp;
	struct ovpn_dev *ovpn = reading->ovpn;

	if (likely(skb->data[0] >> OVPN_OPCODE_SHIFT == OVPN_OP_DATA_V2)) {
		if (unlikely(!ovpn)) {
			consume_skb(skb);
			return;
		}
		if (unlikely(skb->len < OVPN_OP_LEN)) {
			ovpn_drop(ovpn, NULL, skb, OVPN_DROP_RX_SHORT);
			return;
		}
		__skb_queue_tail(&reading->data, skb);
		if (skb_queue_len(&reading->data) == BATCH)
			open_data(reading);
		return;
	}

	if (unlikely(skb->data[0] >> OVPN_OPCODE_SHIFT == OVPN_OP_DATA_V1 &&
		     !reading->os->abi->data_v1)) {
		if (likely(ovpn))
			ovpn_drop(ovpn, NULL, skb, OVPN_DROP_RX_DATA_V1);
		else
			kfree_skb(skb);
		reading->err = -EPROTO;
		return;
	}

	if (likely(ovpn))
		ovpn_event_add(ovpn->stats, OVPN_EVENT_RX_CONTROL);
	ovpn_frame_push(skb);
	tcp->control_size += skb->truesize;
	WRITE_ONCE(tcp->control_len, tcp->control_len + skb->len);
	__skb_queue_tail(&tcp->control, skb);
	reading->control = true;
}

static bool control_full(const struct ovpn_tcp *tcp)
{
	unsigned int limit = max_t(int, READ_ONCE(tcp->os->sk->sk_rcvbuf),
				   CONTROL_MAX);

	return tcp->control_size >= limit;
}

static int read_actor(read_descriptor_t *desc, struct sk_buff *skb,
		      unsigned int offset, size_t len)
{
	struct reading *reading = desc->arg.data;
	struct ovpn_tcp *tcp = reading->os->tcp;
	struct sk_buff *pkt;
	size_t taken = 0;
	int ret;

	while (taken < len && likely(!reading->err)) {
		if (unlikely(control_full(tcp))) {
			tcp->held_back = true;
			break;
		}
		ret = ovpn_framer_take(&tcp->framer, skb, offset + taken,
				       len - taken, &pkt);
		if (unlikely(ret < 0)) {
			reading->err = ret;
			break;
		}
		taken += ret;
		if (pkt)
			sort(reading, pkt);
	}
	return taken;
}

/* The stream makes no sense any more: nothing else of it can be read */
static void stream_broken(struct ovpn_socket *os)
{
	struct ovpn_peer *peer = rcu_dereference(os->peer);

	if (peer)
		ovpn_peer_delete(peer, OVPN_DEL_PEER_REASON_TRANSPORT_ERROR);
}

/* Read all that has come in; socket lock held. Returns true if there is
 * something for userspace.
 */
static bool read_stream(struct ovpn_socket *os)
{
	struct reading reading = { .os = os };
	read_descriptor_t desc = {
		.arg.data = &reading,
		.count = 1,
	};
	struct ovpn_tcp *tcp = os->tcp;

	/* Before the peer is complete, its packets wait */
	if (unlikely(!os->started)) {
		if (!rcu_access_pointer(os->peer))
			return false;
		os->started = true;
	}

	/* TCP would stop for ever in front of a byte sent as urgent */
	if (unlikely(tcp_sk(os->sk)->urg_data))
		WRITE_ONCE(tcp_sk(os->sk)->urg_data, 0);

	tcp->held_back = false;
	tcp->short_of_memory = false;
	__skb_queue_head_init(&reading.data);

	/* This may be a softirq, or a process that has just let go of the lock */
	local_bh_disable();
	rcu_read_lock();
	reading.ovpn = rcu_dereference(os->ovpn);
	tcp_read_sock(os->sk, &desc, read_actor);
	if (!skb_queue_empty(&reading.data))
		open_data(&reading);
	if (unlikely(reading.err == -EPROTO))
		stream_broken(os);
	rcu_read_unlock();
	local_bh_enable();

	if (unlikely(reading.err == -ENOMEM)) {
		tcp->short_of_memory = true;
		queue_delayed_work(ovpn_socket_wq, &tcp->work, 1);
	}
	return reading.control;
}

/* Called with the socket lock held, by a softirq or by its owner */
static void data_ready_hook(struct sock *sk)
{
	struct ovpn_socket *os;

	rcu_read_lock();
	os = socket_of(sk);
	if (likely(os) &&
	    (read_stream(os) || sk->sk_err || sk->sk_shutdown & RCV_SHUTDOWN))
		os->tcp->data_ready(sk);
	rcu_read_unlock();
}

/* Have a waiting recvmsg() look again, which has seen so much of what is there? */
static bool worth_a_look(struct sock *sk, unsigned int seen)
{
	struct ovpn_socket *os;
	bool readable;

	rcu_read_lock();
	os = socket_of(sk);
	readable = !os || READ_ONCE(os->tcp->control_len) > seen;
	rcu_read_unlock();
	return readable || READ_ONCE(sk->sk_err) ||
	       READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN ||
	       inet_sk_state_load(sk) == TCP_CLOSE;
}

/* For poll(), which asks without a lock */
static bool is_readable_hook(struct sock *sk)
{
	struct ovpn_socket *os;
	bool readable;

	rcu_read_lock();
	os = socket_of(sk);
	readable = os && READ_ONCE(os->tcp->control_len) >=
			 (os->abi->packets ?
			  1 : sock_rcvlowat(sk, 0, INT_MAX));
	rcu_read_unlock();
	return readable;
}

COMPAT_DEFINE_IS_READABLE(is_readable_hook)

static void control_drop_first(struct ovpn_tcp *tcp)
{
	struct sk_buff *skb = __skb_dequeue(&tcp->control);

	tcp->control_size -= skb->truesize;
	consume_skb(skb);
}

/* Copy from what is there for userspace, from @skip bytes on, and remove it
 * unless it is only looked at. Returns how many bytes that were, or -EFAULT.
 */
static int copy_control(struct ovpn_tcp *tcp, struct msghdr *msg, size_t len,
			int flags, size_t skip)
{
	struct sk_buff *skb, *next;
	size_t copied = 0, chunk;

	skb_queue_walk_safe(&tcp->control, skb, next) {
		if (skip >= skb->len) {
			skip -= skb->len;
			continue;
		}
		chunk = min_t(size_t, skb->len - skip, len - copied);
		if (!chunk)
			break;
		if (!(flags & MSG_TRUNC) &&
		    skb_copy_datagram_msg(skb, skip, msg, chunk))
			return copied ?: -EFAULT;
		copied += chunk;
		skip = 0;
		if (flags & MSG_PEEK)
			continue;
		__skb_pull(skb, chunk);
		WRITE_ONCE(tcp->control_len, tcp->control_len - chunk);
		if (!skb->len)
			control_drop_first(tcp);
	}
	return copied;
}

/* Copy the first packet that is there for userspace, as far as it has room, and
 * remove it unless it is only looked at. Returns what recvmsg() is to return.
 */
static int copy_packet(struct ovpn_tcp *tcp, struct msghdr *msg, size_t len,
		       int flags)
{
	struct sk_buff *skb = skb_peek(&tcp->control);
	size_t chunk = min_t(size_t, len, skb->len);
	int ret = flags & MSG_TRUNC ? skb->len : chunk;

	if (skb_copy_datagram_msg(skb, 0, msg, chunk))
		return -EFAULT;
	if (chunk < skb->len)
		msg->msg_flags |= MSG_TRUNC;
	if (!(flags & MSG_PEEK)) {
		WRITE_ONCE(tcp->control_len, tcp->control_len - skb->len);
		control_drop_first(tcp);
	}
	return ret;
}

/* Nothing is there: why not wait? Returns 0 if there is no reason, 1 for the
 * end of the stream, or an errno.
 */
static int why_not_wait(struct sock *sk, bool some, long timeo)
{
	if (some)
		return sk->sk_err || sk->sk_state == TCP_CLOSE ||
		       sk->sk_shutdown & RCV_SHUTDOWN || !timeo ||
		       signal_pending(current);

	if (sock_flag(sk, SOCK_DONE))
		return 1;
	if (sk->sk_err)
		return sock_error(sk);
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		return 1;
	if (sk->sk_state == TCP_CLOSE)
		return -ENOTCONN;
	if (!timeo)
		return -EAGAIN;
	return signal_pending(current) ? sock_intr_errno(timeo) : 0;
}

static void wait_for_control(struct sock *sk, unsigned int seen, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);

	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	sk_wait_event(sk, timeo, worth_a_look(sk, seen), &wait);
	sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
	remove_wait_queue(sk_sleep(sk), &wait);
}

/* There are packets in TCP's queue, whatever has become of the connection: wait
 * until there may be memory for them. Returns 0 or an errno.
 */
static int wait_for_memory(struct sock *sk, long *timeo)
{
	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);

	release_sock(sk);
	schedule_timeout_interruptible(1);
	lock_sock(sk);
	if (*timeo != MAX_SCHEDULE_TIMEOUT)
		--*timeo;
	return 0;
}

/* Read what could not be read before, for whoever waits for it */
static void read_more(struct ovpn_socket *os)
{
	if (read_stream(os))
		os->tcp->data_ready(os->sk);
}

/* Give userspace what is there for it. Returns how many bytes that are, or an
 * errno; *@packet is set if it is all that one call gets.
 */
static int take_control(struct ovpn_socket *os, struct msghdr *msg, size_t len,
			int flags, size_t skip, bool *packet)
{
	struct ovpn_tcp *tcp = os->tcp;
	int ret;

	if (tcp->short_of_memory || !os->started)
		read_more(os);
	*packet = os->abi->packets && !skb_queue_empty(&tcp->control);
	ret = *packet ? copy_packet(tcp, msg, len, flags) :
			copy_control(tcp, msg, len, flags, skip);
	if (tcp->held_back && !control_full(tcp))
		read_more(os);
	return ret;
}

/* recvmsg() with the socket lock held. *@gone is set if the socket was given
 * back before there was anything to return.
 */
static int recv_locked(struct sock *sk, struct msghdr *msg, size_t len,
		       int flags, bool *gone)
{
	long timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
	int target = sock_rcvlowat(sk, flags & MSG_WAITALL, len);
	struct ovpn_socket *os;
	int copied = 0, ret;
	bool packet;

	do {
		os = socket_of(sk);
		if (!os) {
			*gone = !copied;
			break;
		}
		ret = take_control(os, msg, len - copied, flags,
				   flags & MSG_PEEK ? copied : 0, &packet);
		if (packet)
			return ret;
		if (ret < 0)
			return copied ?: ret;
		copied += ret;
		if (ret || (!len && os->tcp->control_len))
			continue;
		if (copied >= target)
			break;

		if (unlikely(!copied && os->tcp->short_of_memory)) {
			ret = wait_for_memory(sk, &timeo);
			if (ret)
				return ret;
			continue;
		}
		ret = why_not_wait(sk, copied, timeo);
		if (ret < 0)
			return ret;
		if (ret)
			break;
		wait_for_control(sk, flags & MSG_PEEK ? copied : 0, &timeo);
	} while (copied < len);
	return copied;
}

static int tcp_recvmsg_hook(struct sock *sk, struct msghdr *msg, size_t len,
			    int flags)
{
	bool gone = false;
	int ret;

	call_enter();
	if (unlikely(flags & (MSG_ERRQUEUE | MSG_OOB))) {
		/* Not of the stream, and does not wait */
		ret = compat_proto_recvmsg(base_of(sk), sk, msg, len, flags);
	} else {
		lock_sock(sk);
		ret = recv_locked(sk, msg, len, flags, &gone);
		release_sock(sk);
		if (unlikely(gone && flags & MSG_DONTWAIT)) {
			gone = false;
			ret = compat_proto_recvmsg(base_of(sk), sk, msg, len,
						   flags);
		}
	}
	call_leave();
	return unlikely(gone) ? restart_syscall() : ret;
}

COMPAT_DEFINE_RECVMSG(tcp_recvmsg_hook)

/* How many bytes can be read, or -1 if TCP itself knows */
static int readable_bytes(struct sock *sk)
{
	struct ovpn_socket *os;
	int bytes;

	rcu_read_lock();
	os = socket_of(sk);
	bytes = os ? READ_ONCE(os->tcp->control_len) : -1;
	rcu_read_unlock();
	return bytes;
}

static int tcp_ioctl_hook(struct sock *sk, int cmd, compat_ioctl_arg arg)
{
	int bytes, ret;

	call_enter();
	bytes = cmd == SIOCINQ ? readable_bytes(sk) : -1;
	ret = bytes < 0 ? base_of(sk)->ioctl(sk, cmd, arg) :
			  compat_ioctl_answer(arg, bytes);
	call_leave();
	return ret;
}

/* --- Sending ------------------------------------------------------------- */

/* Does the device have a queue in front that can be stopped? Stopping one with
 * many peers would have all of them wait for the slowest.
 */
static bool may_stop(const struct ovpn_dev *ovpn)
{
	const struct netdev_queue *txq = netdev_get_tx_queue(ovpn->dev, 0);

	return ovpn->mode == OVPN_MODE_P2P &&
	       rcu_dereference_bh(txq->qdisc)->enqueue;
}

/* The device may send; lock of the queue and rcu_read_lock held */
static void wake(struct ovpn_tcp *tcp)
{
	const struct ovpn_dev *ovpn = rcu_dereference(tcp->os->ovpn);

	tcp->stopped = false;
	if (ovpn && netif_running(ovpn->dev))
		netif_tx_wake_all_queues(ovpn->dev);
}

/* Bytes are not queued any more */
static void unqueue(struct ovpn_tcp *tcp, unsigned int bytes)
{
	rcu_read_lock();
	spin_lock_bh(&tcp->queue.lock);
	WRITE_ONCE(tcp->queued, tcp->queued - bytes);
	if (tcp->stopped && tcp->queued <= QUEUE_WAKE)
		wake(tcp);
	spin_unlock_bh(&tcp->queue.lock);
	rcu_read_unlock();
}

/* What is queued is not the device's any more, which may send to other peers */
static void tcp_idle(struct ovpn_socket *os)
{
	struct ovpn_tcp *tcp = os->tcp;

	rcu_read_lock();
	spin_lock_bh(&tcp->queue.lock);
	if (tcp->stopped)
		wake(tcp);
	spin_unlock_bh(&tcp->queue.lock);
	rcu_read_unlock();
}

/* Throw away all that is queued, but for a packet that is written in part */
static void drop_queued(struct ovpn_tcp *tcp)
{
	struct sk_buff_head drop;
	unsigned int bytes = 0;
	struct ovpn_dev *ovpn;
	struct sk_buff *skb;

	__skb_queue_head_init(&drop);
	skb_queue_splice_init(&tcp->sending, &drop);
	if (tcp->partial)
		__skb_queue_head(&tcp->sending, __skb_dequeue(&drop));
	spin_lock_bh(&tcp->queue.lock);
	skb_queue_splice_tail_init(&tcp->queue, &drop);
	spin_unlock_bh(&tcp->queue.lock);

	skb_queue_walk(&drop, skb)
		bytes += skb->len;
	local_bh_disable();
	rcu_read_lock();
	ovpn = rcu_dereference(tcp->os->ovpn);
	if (ovpn)
		ovpn_drop_queue(ovpn, NULL, &drop, OVPN_DROP_TX_NO_CONNECTION);
	else
		__skb_queue_purge(&drop);
	rcu_read_unlock();
	local_bh_enable();
	unqueue(tcp, bytes);
}

/* The connection takes no more packets, ever */
static void connection_lost(struct ovpn_socket *os)
{
	struct ovpn_tcp *tcp = os->tcp;

	tcp->partial = false;
	drop_queued(tcp);
	rcu_read_lock();
	stream_broken(os);
	rcu_read_unlock();
}

/* An error alone does not end a connection: it may be what a router has said
 * about it, while TCP goes on
 */
static bool can_send(const struct sock *sk)
{
	return !(sk->sk_shutdown & SEND_SHUTDOWN) &&
	       (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
}

/* May the kernel begin to write a packet? */
static bool between_user_packets(const struct ovpn_tcp *tcp)
{
	return !tcp->user_left && !tcp->user_header_len;
}

/* How many more bytes may wait in TCP to be sent? A buffer that grew while the path
 * was fast, or by packets that overtook each other, would have control packets come
 * too late for their handshake when it is slow.
 */
static int unsent_left(const struct sock *sk)
{
	unsigned long most = READ_ONCE(sk->sk_pacing_rate) >> UNSENT_SHIFT;
	const struct tcp_sock *tp = tcp_sk(sk);

	return (int)clamp_t(unsigned long, most, UNSENT_MIN, INT_MAX) -
	       (int)(READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_nxt));
}

/* Write from the beginning of @sending: up to @count packets, and no more than
 * leave userspace room to write, to which poll() says it may as long as a third
 * of the buffer is free. Returns how many bytes were taken.
 */
static int write_some(struct ovpn_socket *os, int count)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct ovpn_tcp *tcp = os->tcp;
	struct sock *sk = os->sk;
	int bytes = 0, i = 0, room, err, ret;
	struct sk_buff *skb;

	room = min(sk->sk_sndbuf / 8 * 5 - sk->sk_wmem_queued, unsent_left(sk));
	skb_queue_walk(&tcp->sending, skb) {
		if (i && bytes + (int)skb->len > room)
			break;
		if (i == count) {
			if (count == BATCH)
				msg.msg_flags |= MSG_MORE;
			break;
		}
		tcp->vec[i].iov_base = skb->data;
		tcp->vec[i++].iov_len = skb->len;
		bytes += skb->len;
	}
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, tcp->vec, i, bytes);

	/* Errors are userspace's to see, it has the connection */
	err = xchg(&sk->sk_err, 0);
	ret = tcp_sendmsg_locked(sk, &msg, bytes);
	if (unlikely(ret < 0 && ret != -EAGAIN && ret != -EPIPE))
		err = -ret;
	if (unlikely(err)) {
		/* Unless there is a newer one. Whoever looked meanwhile has to
		 * be woken again.
		 */
		cmpxchg(&sk->sk_err, 0, err);
		sk_error_report(sk);
	}
	return ret;
}

/* So many bytes have been taken from the beginning of @sending */
static void written(struct ovpn_tcp *tcp, unsigned int bytes)
{
	unsigned int left = bytes;
	struct sk_buff *skb;

	tcp->partial = false;
	while (left) {
		skb = skb_peek(&tcp->sending);
		if (left < skb->len) {
			__skb_pull(skb, left);
			tcp->partial = true;
			break;
		}
		left -= skb->len;
		__skb_unlink(skb, &tcp->sending);
		consume_skb(skb);
	}
	unqueue(tcp, bytes);
}

static bool something_to_write(struct ovpn_tcp *tcp)
{
	if (!skb_queue_empty(&tcp->sending))
		return true;

	spin_lock_bh(&tcp->queue.lock);
	skb_queue_splice_init(&tcp->queue, &tcp->sending);
	spin_unlock_bh(&tcp->queue.lock);
	return !skb_queue_empty(&tcp->sending);
}

/* A packet that has begun goes on as soon as there is room, another one has to
 * leave some to userspace
 */
static bool room_for_kernel(const struct ovpn_socket *os)
{
	const struct sock *sk = os->sk;

	if (os->tcp->partial)
		return sk_stream_memory_free(sk);
	return sk_stream_is_writeable(sk) && unsent_left(sk) > 0 &&
	       READ_ONCE(sk->sk_wmem_queued) < READ_ONCE(sk->sk_sndbuf) / 2;
}

/* Write what is queued, or, if @finish, only what a packet lacks that has begun,
 * as far as TCP takes it; socket lock held, may sleep
 */
static void write_queue(struct ovpn_socket *os, bool finish)
{
	struct ovpn_tcp *tcp = os->tcp;
	struct sock *sk = os->sk;
	int ret;

	while (tcp->partial || (!finish && between_user_packets(tcp))) {
		if (!something_to_write(tcp))
			return;
		if (unlikely(!can_send(sk))) {
			connection_lost(os);
			return;
		}
		if (!room_for_kernel(os)) {
			/* Have write_space_hook() called */
			set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
			return;
		}
		ret = write_some(os, finish ? 1 : BATCH);
		if (likely(ret > 0)) {
			written(tcp, ret);
			continue;
		}
		/* Not for lack of room, nor for ever: nobody will call us */
		if (can_send(sk) && room_for_kernel(os)) {
			queue_delayed_work(ovpn_socket_wq, &tcp->work, 1);
			return;
		}
		if (ret == -EAGAIN)
			return;
	}
}

static void tcp_work(struct work_struct *work)
{
	struct ovpn_tcp *tcp = container_of(to_delayed_work(work),
					    struct ovpn_tcp, work);
	struct ovpn_socket *os = tcp->os;
	struct sock *sk = os->sk;

	/* Whoever has it locked may have us wait for ever, and all others for us:
	 * release_hook() queues us again
	 */
	WRITE_ONCE(tcp->wanted, true);
	if (!ovpn_lock_sock_try(sk))
		return;
	WRITE_ONCE(tcp->wanted, false);
	if (socket_of(sk) == os) {
		if (tcp->short_of_memory || !os->started)
			read_more(os);
		write_queue(os, false);
	}
	release_sock(sk);
}

/* Called by the owner of the socket lock when it has just let go of it */
static void release_hook(struct sock *sk)
{
	struct ovpn_socket *os;

	base_of(sk)->release_cb(sk);
	rcu_read_lock();
	os = socket_of(sk);
	if (os && READ_ONCE(os->tcp->wanted)) {
		WRITE_ONCE(os->tcp->wanted, false);
		queue_delayed_work(ovpn_socket_wq, &os->tcp->work, 0);
	}
	rcu_read_unlock();
}

/* Called with the socket lock held, by a softirq or by its owner */
static void write_space_hook(struct sock *sk)
{
	struct ovpn_socket *os;

	rcu_read_lock();
	os = socket_of(sk);
	if (likely(os)) {
		os->tcp->write_space(sk);
		if (READ_ONCE(os->tcp->queued)) {
			if (room_for_kernel(os))
				queue_delayed_work(ovpn_socket_wq, &os->tcp->work, 0);
			else
				set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		}
	}
	rcu_read_unlock();
}

/* Called with the socket lock held: nobody may ever ask for what is queued */
static void state_change_hook(struct sock *sk)
{
	struct ovpn_socket *os;

	rcu_read_lock();
	os = socket_of(sk);
	if (likely(os)) {
		if (READ_ONCE(os->tcp->queued) && !can_send(sk))
			queue_delayed_work(ovpn_socket_wq, &os->tcp->work, 0);
		os->tcp->state_change(sk);
	}
	rcu_read_unlock();
}

static void tcp_send(struct ovpn_peer *peer, struct sk_buff_head *pkts)
{
	unsigned int bytes = 0, dev_packets = 0, dev_bytes = 0;
	struct ovpn_tcp *tcp = peer->socket->tcp;
	struct ovpn_dev *ovpn = peer->ovpn;
	struct sk_buff *skb;
	bool full;

	skb_queue_walk(pkts, skb) {
		/* Not our own pings */
		if (likely(skb->dev)) {
			dev_packets++;
			dev_bytes += skb->len - OVPN_HEADER_LEN;
			/* It may be gone before the packet is */
			skb->dev = NULL;
		}
		ovpn_frame_push(skb);
		bytes += skb->len;
	}

	spin_lock_bh(&tcp->queue.lock);
	full = tcp->queued + bytes > QUEUE_MAX;
	if (likely(!full)) {
		skb_queue_splice_tail_init(pkts, &tcp->queue);
		WRITE_ONCE(tcp->queued, tcp->queued + bytes);
		if (tcp->queued > QUEUE_STOP && may_stop(ovpn)) {
			tcp->stopped = true;
			netif_tx_stop_all_queues(ovpn->dev);
		}
	}
	spin_unlock_bh(&tcp->queue.lock);

	if (unlikely(full)) {
		ovpn_drop_queue(ovpn, peer, pkts, OVPN_DROP_TX_BACKLOG);
		return;
	}
	dev_sw_netstats_tx_add(ovpn->dev, dev_packets, dev_bytes);
	queue_delayed_work(ovpn_socket_wq, &tcp->work, 0);
}

/* Follow what userspace has written, from @iter on, to know where its packets
 * begin and end
 */
static void user_wrote(struct ovpn_tcp *tcp, struct iov_iter *iter,
		       size_t bytes)
{
	size_t step;
	u8 byte;

	while (bytes) {
		if (tcp->user_left) {
			step = min_t(size_t, tcp->user_left, bytes);
			iov_iter_advance(iter, step);
			tcp->user_left -= step;
			bytes -= step;
			continue;
		}
		if (copy_from_iter(&byte, 1, iter) != 1)
			return;
		bytes--;
		tcp->user_header = tcp->user_header << 8 | byte;
		if (++tcp->user_header_len == OVPN_FRAME_HEADER_LEN) {
			tcp->user_left = tcp->user_header;
			tcp->user_header_len = 0;
		}
	}
}

/* What sndbuf_lift() changed */
struct sndbuf {
	int before;
	int lifted;
	u32 notsent_lowat;
};

/* Have TCP take a message as a whole, however full the send buffer is; the
 * socket stays locked until sndbuf_lower()
 */
static void sndbuf_lift(struct sock *sk, size_t len, struct sndbuf *saved)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int extra = SKB_TRUESIZE(len) * 2;

	saved->before = sk->sk_sndbuf;
	saved->lifted = max(sk->sk_sndbuf, sk->sk_wmem_queued);
	saved->lifted += min(extra, INT_MAX - saved->lifted);
	saved->notsent_lowat = tp->notsent_lowat;
	WRITE_ONCE(sk->sk_sndbuf, saved->lifted);
	WRITE_ONCE(tp->notsent_lowat, U32_MAX);
}

static void sndbuf_lower(struct sock *sk, const struct sndbuf *saved)
{
	WRITE_ONCE(tcp_sk(sk)->notsent_lowat, saved->notsent_lowat);
	/* Unless TCP has found another size for it meanwhile */
	if (likely(sk->sk_sndbuf == saved->lifted))
		WRITE_ONCE(sk->sk_sndbuf, saved->before);
}

/* Write for userspace, without waiting. A message as large as a packet is taken
 * as a whole or not at all, whatever the size of the send buffer: half a packet
 * would have the kernel's packets wait, and OpenVPN never sends the other half.
 */
static int write_for_user(struct ovpn_socket *os, struct msghdr *msg)
{
	struct iov_iter iter = msg->msg_iter;
	size_t left = msg_data_left(msg);
	int flags = msg->msg_flags, ret;
	struct sock *sk = os->sk;
	struct sndbuf saved;

	msg->msg_flags |= MSG_DONTWAIT;
	if (left <= OVPN_FRAME_MAX) {
		sndbuf_lift(sk, left, &saved);
		ret = tcp_sendmsg_locked(sk, msg, left);
		sndbuf_lower(sk, &saved);
	} else {
		ret = tcp_sendmsg_locked(sk, msg, left);
	}
	msg->msg_flags = flags;

	if (ret > 0)
		user_wrote(os->tcp, &iter, ret);
	return ret;
}

/* May userspace write now? */
static bool room_for_user(struct ovpn_socket *os)
{
	write_queue(os, true);
	return !os->tcp->partial && sk_stream_memory_free(os->sk);
}

/* Wait for room, but only a while: TCP cannot be told to stop waiting because
 * the socket was given back
 */
static int wait_for_room(struct sock *sk, long *timeo)
{
	long slice = min_t(long, *timeo, SEND_WAIT), rest = slice;
	int ret = sk_stream_wait_memory(sk, &rest);

	if (*timeo != MAX_SCHEDULE_TIMEOUT)
		*timeo -= slice - rest;
	if (ret == -EAGAIN && *timeo)
		return 0;
	return ret == -EINTR ? sock_intr_errno(*timeo) : ret;
}

/* Where userspace writes packets, none of these has a meaning */
static bool flags_refused(const struct ovpn_socket *os,
			  const struct msghdr *msg)
{
	return os->abi->packets &&
	       msg->msg_flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL |
				  MSG_CMSG_COMPAT);
}

/* sendmsg() with the socket lock held; *@gone as for recv_locked() */
static int send_locked(struct sock *sk, struct msghdr *msg, bool *gone)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	struct ovpn_socket *os;
	int sent = 0, ret = 0;

	do {
		os = socket_of(sk);
		if (!os) {
			*gone = !sent;
			break;
		}
		if (unlikely(flags_refused(os, msg)))
			return -EOPNOTSUPP;
		/* Looked at once only: anybody may take it away meanwhile */
		if (can_send(sk) && sk->sk_err) {
			ret = sent ? 0 : sock_error(sk);
			if (sent || ret)
				break;
		}
		/* Without a connection this is how to learn why */
		if (!can_send(sk) || room_for_user(os)) {
			ret = write_for_user(os, msg);
			if (ret > 0) {
				sent += ret;
				continue;
			}
			if (ret != -EAGAIN)
				break;
		}
		ret = wait_for_room(sk, &timeo);
		if (ret && ret != -EPIPE)
			break;
	} while (msg_data_left(msg));

	os = socket_of(sk);
	if (os)
		write_queue(os, false);
	return sent ?: ret;
}

static int tcp_sendmsg_hook(struct sock *sk, struct msghdr *msg, size_t size)
{
	bool gone = false;
	int ret;

	call_enter();
	lock_sock(sk);
	ret = send_locked(sk, msg, &gone);
	release_sock(sk);
	if (unlikely(gone && msg->msg_flags & MSG_DONTWAIT)) {
		gone = false;
		ret = base_of(sk)->sendmsg(sk, msg, size);
	}
	call_leave();
	return unlikely(gone) ? restart_syscall() : ret;
}

/* --- What an attached socket must not do --------------------------------- */

/* A packet must not wait for the acknowledgment of the one before it, whatever
 * userspace wants for its own, which it has back afterwards. Socket lock held.
 */
static void nagle_off(struct ovpn_socket *os)
{
	struct tcp_sock *tp = tcp_sk(os->sk);

	os->tcp->nonagle = tp->nonagle;
	tp->nonagle |= TCP_NAGLE_OFF;
}

static int tcp_setsockopt_hook(struct sock *sk, int level, int optname,
			       sockptr_t optval, unsigned int optlen)
{
	struct ovpn_socket *os;
	int ret = -EBUSY;

	call_enter();
	/* Another sk_prot would be lost when we put the old one back */
	if (level != SOL_TCP || optname != TCP_ULP || !tcp_owns(sk))
		ret = base_of(sk)->setsockopt(sk, level, optname, optval,
					      optlen);
	if (!ret && level == SOL_TCP && optname == TCP_NODELAY) {
		lock_sock(sk);
		os = socket_of(sk);
		if (os)
			nagle_off(os);
		release_sock(sk);
	}
	call_leave();
	return ret;
}

/* What occupies the place of a ULP is no business of userspace's, and TCP looks
 * at it twice to answer
 */
static int tcp_getsockopt_hook(struct sock *sk, int level, int optname,
			       char __user *optval, int __user *optlen)
{
	int ret;

	call_enter();
	if (level == SOL_TCP && optname == TCP_ULP && tcp_owns(sk))
		ret = put_user(0, optlen);
	else
		ret = base_of(sk)->getsockopt(sk, level, optname, optval,
					      optlen);
	call_leave();
	return ret;
}

/* Another connection would begin in the middle of a packet */
static int tcp_disconnect_hook(struct sock *sk, int flags)
{
	return tcp_owns(sk) ? -EBUSY : base_of(sk)->disconnect(sk, flags);
}

/* The only one that may find a socket given back after it: nobody else has it */
static void tcp_close_hook(struct sock *sk, long timeout)
{
	call_enter();
	ovpn_socket_closed(sk, &ovpn_tcp_transport);
	base_of(sk)->close(sk, timeout);
	call_leave();
}

/* --- Attaching and detaching --------------------------------------------- */

/* Keeps a setsockopt(TCP_ULP) out that had begun before we came. TLS would build
 * the functions of all its sockets from ours, and keep them for ever.
 */
static const struct tcp_ulp_ops ovpn_tcp_ulp = {
	.name = "ovpn-dco",
};

static int tcp_refusal(const struct sock *sk, struct netlink_ext_ack *extack)
{
	if (sk->sk_state != TCP_ESTABLISHED) {
		NL_SET_ERR_MSG(extack, "TCP socket is not connected");
		return -ENOTCONN;
	}
	if (sk_is_mptcp(sk)) {
		NL_SET_ERR_MSG(extack, "Multipath TCP is not supported");
		return -EOPNOTSUPP;
	}
	if (inet_csk(sk)->icsk_ulp_ops) {
		NL_SET_ERR_MSG(extack,
			       "socket has an upper layer protocol, like TLS");
		return -EBUSY;
	}
	if (sk->sk_write_pending) {
		/* Perhaps in here still, and on its way out, see wait_for_room() */
		return -EAGAIN;
	}
	if (sk->sk_prot != base_of(sk)) {
		NL_SET_ERR_MSG(extack,
			       "socket is in use by another part of the kernel");
		return -EBUSY;
	}
	return 0;
}

static struct ovpn_tcp *tcp_alloc(struct ovpn_socket *os)
{
	struct ovpn_tcp *tcp;

	tcp = kzalloc(sizeof(*tcp), GFP_KERNEL_ACCOUNT);
	if (!tcp)
		return NULL;
	tcp->os = os;
	INIT_DELAYED_WORK(&tcp->work, tcp_work);
	__skb_queue_head_init(&tcp->control);
	skb_queue_head_init(&tcp->queue);
	__skb_queue_head_init(&tcp->sending);
	return tcp;
}

static int tcp_attach(struct ovpn_socket *os, struct netlink_ext_ack *extack)
{
	struct sock *sk = os->sk;
	struct ovpn_tcp *tcp;
	bool claimed = false;
	int err;

	err = tcp_refusal(sk, extack);
	if (err)
		return err;
	tcp = tcp_alloc(os);
	if (!tcp) {
		NL_SET_ERR_MSG(extack, "out of memory");
		return -ENOMEM;
	}

	os->tcp = tcp;
	/* Not everybody who claims sk_user_data holds the socket lock */
	write_lock_bh(&sk->sk_callback_lock);
	if (!sk->sk_user_data) {
		claimed = true;
		rcu_assign_sk_user_data(sk, os);
		tcp->data_ready = sk->sk_data_ready;
		tcp->write_space = sk->sk_write_space;
		tcp->state_change = sk->sk_state_change;
		/* socket_of() finds the rest by this one */
		smp_store_release(&sk->sk_prot, sk->sk_family == AF_INET ?
						&ovpn_tcp_v4 : &ovpn_tcp_v6);
		WRITE_ONCE(sk->sk_data_ready, data_ready_hook);
		WRITE_ONCE(sk->sk_write_space, write_space_hook);
		WRITE_ONCE(sk->sk_state_change, state_change_hook);
	}
	write_unlock_bh(&sk->sk_callback_lock);

	if (!claimed) {
		NL_SET_ERR_MSG(extack, "socket is in use by another tunnel");
		kfree(tcp);
		return -EBUSY;
	}

	inet_csk(sk)->icsk_ulp_ops = &ovpn_tcp_ulp;
	nagle_off(os);
	return 0;
}

/* A peer is there: have what came before it read */
static void tcp_start(struct ovpn_socket *os)
{
	queue_delayed_work(ovpn_socket_wq, &os->tcp->work, 0);
}

/* Put what userspace has not read, and half a packet, back to where it came
 * from: in front of what TCP has not been asked for yet
 */
static void unread(struct ovpn_tcp *tcp)
{
	struct sock *sk = tcp->os->sk;
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;

	skb = ovpn_framer_residue(&tcp->framer, GFP_KERNEL);
	if (skb)
		__skb_queue_tail(&tcp->control, skb);

	while ((skb = __skb_dequeue_tail(&tcp->control))) {
		memset(skb->cb, 0, sizeof(skb->cb));
		TCP_SKB_CB(skb)->end_seq = tp->copied_seq;
		TCP_SKB_CB(skb)->seq = tp->copied_seq - skb->len;
		TCP_SKB_CB(skb)->tcp_flags = TCPHDR_ACK;
		WRITE_ONCE(tp->copied_seq, TCP_SKB_CB(skb)->seq);
		/* Or TCP finds that more than 4 GB were read */
		tp->rcvq_space.seq -= skb->len;
		/* As TCP does with what it cannot refuse either */
		sk_rmem_schedule(sk, skb, skb->truesize);
		skb_set_owner_r(skb, sk);
		__skb_queue_head(&sk->sk_receive_queue, skb);
	}
}

/* A packet that has begun has to end, or the stream is of no use to userspace */
static void finish_partial(struct ovpn_tcp *tcp)
{
	struct sk_buff *skb = skb_peek(&tcp->sending);
	struct sock *sk = tcp->os->sk;
	int len = skb->len, ret = -EPIPE;
	struct sndbuf saved;

	if (can_send(sk)) {
		sndbuf_lift(sk, len, &saved);
		ret = write_some(tcp->os, 1);
		sndbuf_lower(sk, &saved);
	}
	__skb_unlink(skb, &tcp->sending);
	consume_skb(skb);
	unqueue(tcp, len);
	tcp->partial = false;

	/* No memory: what userspace writes would land inside the packet */
	if (unlikely(ret != len && can_send(sk))) {
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
		WRITE_ONCE(sk->sk_err, ECONNRESET);
		sk_error_report(sk);
	}
}

static void tcp_detach(struct ovpn_socket *os)
{
	struct ovpn_tcp *tcp = os->tcp;
	struct sock *sk = os->sk;

	write_lock_bh(&sk->sk_callback_lock);
	WRITE_ONCE(sk->sk_prot, (struct proto *)base_of(sk));
	WRITE_ONCE(sk->sk_data_ready, tcp->data_ready);
	WRITE_ONCE(sk->sk_write_space, tcp->write_space);
	WRITE_ONCE(sk->sk_state_change, tcp->state_change);
	write_unlock_bh(&sk->sk_callback_lock);
	inet_csk(sk)->icsk_ulp_ops = NULL;

	drop_queued(tcp);
	if (tcp->partial)
		finish_partial(tcp);
	unread(tcp);
	if (!(tcp->nonagle & TCP_NAGLE_OFF))
		tcp_sk(sk)->nonagle &= ~TCP_NAGLE_OFF;

	/* Whoever waits in one of our calls goes on in TCP's own */
	sk->sk_data_ready(sk);
	sk->sk_write_space(sk);
}

static void tcp_release(struct ovpn_socket *os)
{
	rcu_assign_sk_user_data(os->sk, NULL);
}

/* Without the socket lock, which the work wants */
static void tcp_free(struct ovpn_socket *os)
{
	cancel_delayed_work_sync(&os->tcp->work);
	/* A socket that was closed was given back before its senders were gone */
	drop_queued(os->tcp);
	kfree(os->tcp);
}

const struct ovpn_transport ovpn_tcp_transport = {
	.stream = true,
	.owns = tcp_owns,
	.attach = tcp_attach,
	.start = tcp_start,
	.idle = tcp_idle,
	.detach = tcp_detach,
	.release = tcp_release,
	.free = tcp_free,
	.send = tcp_send,
};

static void proto_build(struct proto *prot, const struct proto *base)
{
	*prot = *base;
	prot->recvmsg = compat_recvmsg(tcp_recvmsg_hook);
	prot->sendmsg = tcp_sendmsg_hook;
	compat_proto_set_is_readable(prot, is_readable_hook);
	prot->ioctl = tcp_ioctl_hook;
	prot->setsockopt = tcp_setsockopt_hook;
	prot->getsockopt = tcp_getsockopt_hook;
	prot->disconnect = tcp_disconnect_hook;
	prot->release_cb = release_hook;
	prot->close = tcp_close_hook;
	compat_proto_no_sendpage(prot);
}

/**
 * ovpn_tcp_init - get ready for TCP sockets
 *
 * Context: process, may sleep; before userspace can send any request.
 */
void __init ovpn_tcp_init(void)
{
	struct socket *sock;

	proto_build(&ovpn_tcp_v4, &tcp_prot);

	/* That of IPv6 is not exported by older kernels, but each socket has
	 * it. Without IPv6 there are no sockets that would need it.
	 */
	if (sock_create_kern(&init_net, PF_INET6, SOCK_STREAM, IPPROTO_TCP,
			     &sock))
		return;
	base_v6 = sock->sk->sk_prot;
	proto_build(&ovpn_tcp_v6, base_v6);
	sock_release(sock);
}

/**
 * ovpn_tcp_exit - wait until nobody is in our socket functions any more
 *
 * A preemptible kernel without CONFIG_TASKS_RCU has no way to wait for who was
 * preempted there. Tracing and BPF select it: distributions' kernels have it.
 *
 * Context: process, may sleep; no socket may be attached any more.
 */
void ovpn_tcp_exit(void)
{
	/* Whoever has looked up a function, but is not inside yet */
	synchronize_rcu_tasks();
	wait_var_event(&calls_inside, !atomic_read(&calls_inside));
	/* Closing a socket of UDP, which is looked up like that too */
	ovpn_sockets_wait();
	/* Whoever is on its way out */
	synchronize_rcu_tasks();
}
