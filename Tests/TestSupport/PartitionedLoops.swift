// Loop devices with partitions, for shell scripts: the kernel here does not look for those by itself, and keeps them when the device goes.

/// `attach FILE` prints the device that it stands for; `leave DEVICE` gives it back. Whoever had the number before may have left partitions, and
/// another test's namespace may have what is on them mounted for a while longer.
public let partitionedLoops = """
    attach() {
        local device=$(losetup -f --show $1)
        for i in $(seq 50); do partx -d $device >/dev/null 2>&1; partx -a $device 2>/dev/null && break; sleep 0.2; done
        echo $device
    }
    leave() {
        for i in $(seq 50); do partx -d $1 2>/dev/null && break; sleep 0.2; done
        losetup -d $1
    }

    """
