//! The load: each connection sends a message, waits until all of it is back, and sends the next.

use crate::link::{Link, connect};
use crate::sys::{NO_EVENTS, Poll};
use std::error::Error;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

pub struct Plan<'a> {
    pub kind: &'a str,
    pub address: &'a str,
    pub size: usize,
    pub connections: usize,
    pub warm: Duration,
    pub measured: Duration,
    /// The process whose time is taken.
    pub server: Option<u32>,
}

/// A measurement goes on until so many messages are back, where the server gets no CPU for a while,
const MESSAGES_MIN: u64 = 100;

/// but no longer than this.
const MEASURED_MAX: Duration = Duration::from_secs(10);

/// A datagram that is not back by then is lost.
const LOST_MS: i32 = 200;

struct Connection {
    link: Box<dyn Link>,
    sent: usize,
    received: usize,
}

struct Load<'a> {
    message: &'a [u8],
    room: Vec<u8>,
    done: u64,
    wrong: u64,
}

impl Load<'_> {
    /// Sends and receives until nothing more can be done now.
    fn go_on(&mut self, connection: &mut Connection) -> Result<(), Box<dyn Error>> {
        loop {
            while connection.sent < self.message.len() {
                match connection.link.write(&self.message[connection.sent..]) {
                    Ok(count) => connection.sent += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
            match connection.link.flush() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error.into()),
                _ => {}
            }
            match connection.link.read(&mut self.room) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(count) => {
                    let from = connection.received;
                    let expected = self.message.get(from..from + count);
                    // A whole comparison would take the time of sending again.
                    let last = expected.and_then(<[u8]>::last);
                    self.wrong += u64::from(last != self.room[..count].last());
                    connection.received += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            if connection.received >= self.message.len() {
                self.done += 1;
                (connection.sent, connection.received) = (0, 0);
            }
        }
    }
}

/// Runs the plan; the answer is JSON. `all` counts the messages of the warm-up too.
pub fn run(plan: &Plan) -> Result<String, Box<dyn Error>> {
    let message: Vec<u8> = (0..plan.size).map(|place| (place % 251) as u8).collect();
    let poll = Poll::new()?;
    let mut connections = Vec::new();
    for key in 0..plan.connections {
        let link = connect(plan.kind, plan.address)?;
        poll.add(link.fd(), key as u64, true)?;
        connections.push(Connection {
            link,
            sent: 0,
            received: 0,
        });
    }
    let mut load = Load {
        message: &message,
        room: vec![0; 256 << 10],
        done: 0,
        wrong: 0,
    };
    let mut events = NO_EVENTS;
    let mut lost = 0;
    let start = Instant::now();
    let (mut begin, mut done_before, mut cpu_before) = (None, 0, 0);
    loop {
        let now = Instant::now();
        match begin {
            None if now - start >= plan.warm => {
                begin = Some(now);
                done_before = load.done;
                cpu_before = cpu_ns(plan.server)?;
            }
            Some(begin)
                if now - begin >= MEASURED_MAX
                    || now - begin >= plan.measured && load.done - done_before >= MESSAGES_MIN =>
            {
                let cpu = cpu_ns(plan.server)? - cpu_before;
                let seconds = (now - begin).as_secs_f64();
                let messages = load.done - done_before;
                if load.wrong > 0 {
                    return Err(format!("{} answers are wrong", load.wrong).into());
                }
                return Ok(format!(
                    "{{\"messages\": {messages}, \"all\": {}, \"lost\": {lost}, \
                     \"seconds\": {seconds}, \"cpu_ns\": {cpu}}}",
                    load.done
                ));
            }
            _ => {}
        }
        let mut is_quiet = true;
        for key in poll.wait(&mut events, LOST_MS)? {
            is_quiet = false;
            load.go_on(&mut connections[key as usize])?;
        }
        if is_quiet && plan.kind == "udp" {
            for connection in &mut connections {
                (connection.sent, connection.received) = (0, 0);
                lost += 1;
                load.go_on(connection)?;
            }
        } else if is_quiet && start.elapsed() > Duration::from_secs(30) {
            return Err("the server does not answer".into());
        }
    }
}

/// What all threads of a process have run, user and system.
fn cpu_ns(server: Option<u32>) -> Result<u64, Box<dyn Error>> {
    let Some(pid) = server else { return Ok(0) };
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(sum)
}
