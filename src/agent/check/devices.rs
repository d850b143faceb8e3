//! The devices of the checking browser's network namespace: loopback, and a connected pair. Without
//! a device besides loopback, a browser considers itself offline: `navigator.onLine` is false, and
//! WebRTC waits forever.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd,
};

use nix::libc::{self, c_char, c_short};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketType, netlink::SocketAddrNetlink, recv, sendto,
    socket,
};

/// The two ends of the pair.
const ENDS: [&str; 2] = ["net0", "net1"];
/// The address of the first one, in a network reserved for documentation (RFC 5737).
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// An attribute of a veth device that describes its other end (linux/veth.h).
const VETH_INFO_PEER: u16 = 1;
/// The length of a netlink message's head, and of a device's description in it (rtnetlink(7)), in
/// bytes.
const HEAD: u32 = 16;
const DEVICE: [u8; 16] = [0; 16];

nix::ioctl_write_ptr_bad!(set_flags, libc::SIOCSIFFLAGS, libc::ifreq);
nix::ioctl_write_ptr_bad!(set_address, libc::SIOCSIFADDR, libc::ifreq);

/// Sets up the devices of the namespace that this process is in. Errors without a loopback device.
pub fn set_up() -> io::Result<()> {
    up("lo")?;
    // The kernel may have no such devices; most pages work offline too.
    let _ = make_pair()
        .and_then(|()| give_address(ENDS[0], ADDRESS))
        .and_then(|()| ENDS.into_iter().try_for_each(up));
    Ok(())
}

fn up(device: &str) -> io::Result<()> {
    let flags = libc::__c_anonymous_ifr_ifru {
        ifru_flags: libc::IFF_UP as c_short,
    };
    let request = request(device, flags);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    #[expect(unsafe_code, reason = "a device is set up by a call with a pointer")]
    // SAFETY: the request is whole, and outlives the call.
    unsafe {
        set_flags(socket.as_raw_fd(), &raw const request)?;
    }
    Ok(())
}

fn give_address(device: &str, address: Ipv4Addr) -> io::Result<()> {
    // The port, unused here, and the address (ip(7)).
    let mut data = [0; 14];
    for (to, from) in data[2..].iter_mut().zip(address.octets()) {
        *to = from as c_char;
    }
    let address = libc::sockaddr {
        sa_family: libc::AF_INET as libc::sa_family_t,
        sa_data: data,
    };
    let request = request(device, libc::__c_anonymous_ifr_ifru { ifru_addr: address });
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    #[expect(
        unsafe_code,
        reason = "a device is given its address by a call with a pointer"
    )]
    // SAFETY: the request is whole, and outlives the call.
    unsafe {
        set_address(socket.as_raw_fd(), &raw const request)?;
    }
    Ok(())
}

/// An ioctl request for a device (netdevice(7)).
fn request(device: &str, what: libc::__c_anonymous_ifr_ifru) -> libc::ifreq {
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(device.bytes()) {
        *to = from as c_char;
    }
    libc::ifreq {
        ifr_name: name,
        ifr_ifru: what,
    }
}

/// Creates the pair with a netlink message (rtnetlink(7)).
fn make_pair() -> io::Result<()> {
    let [own, other] =
        ENDS.map(|name| attribute(libc::IFLA_IFNAME, format!("{name}\0").as_bytes()));
    let peer = attribute(VETH_INFO_PEER, &[&DEVICE[..], &other].concat());
    let kind = attribute(libc::IFLA_INFO_KIND, b"veth");
    let info = attribute(
        libc::IFLA_LINKINFO,
        &[kind, attribute(libc::IFLA_INFO_DATA, &peer)].concat(),
    );
    let body = [&DEVICE[..], &own, &info].concat();
    let length = HEAD + u32::try_from(body.len()).map_err(io::Error::other)?;
    let flags =
        (libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(libc::RTM_NEWLINK.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    // Its sequence number and sender, which do not matter for a single message.
    message.extend([0; 8]);
    message.extend(body);

    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    sendto(
        &socket,
        &message,
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    let mut answer = [0; 256];
    let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    // The answer's head is followed by a negative error number, or zero.
    let error = answer[..length]
        .get(HEAD as usize..)
        .and_then(<[u8]>::first_chunk::<4>);
    match error.map(|error| i32::from_ne_bytes(*error)) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// An attribute of a netlink message: its length, its kind, and its value, padded to four
/// bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut attribute = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    attribute.extend(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}
