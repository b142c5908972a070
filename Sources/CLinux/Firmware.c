#define _GNU_SOURCE 1
#include "CLinux.h"

#include <errno.h>
#include <linux/mmc/ioctl.h>
#include <linux/nvme_ioctl.h>
#include <scsi/sg.h>
#include <string.h>
#include <sys/ioctl.h>

int clinux_scsi(int descriptor, const uint8_t *command, uint8_t command_length, int writes, void *data, uint32_t length, uint8_t *sense,
                uint8_t *sense_length, uint32_t milliseconds) {
    struct sg_io_hdr header = {
        .interface_id = 'S',
        .dxfer_direction = length == 0 ? SG_DXFER_NONE : writes ? SG_DXFER_TO_DEV : SG_DXFER_FROM_DEV,
        .cmd_len = command_length,
        .mx_sb_len = *sense_length,
        .dxfer_len = length,
        .dxferp = data,
        .cmdp = (unsigned char *)command,
        .sbp = sense,
        .timeout = milliseconds,
    };
    if (ioctl(descriptor, SG_IO, &header) != 0) return -1;
    *sense_length = header.sb_len_wr;
    // The driver's status only repeats that there is sense data (8); the host's says that the command never came through.
    if (header.host_status != 0) {
        errno = EIO;
        return -1;
    }
    return header.status;
}

int clinux_nvme_namespace(int descriptor) { return ioctl(descriptor, NVME_IOCTL_ID); }

int clinux_nvme_admin(int descriptor, uint8_t opcode, uint32_t namespace_id, uint32_t word10, uint32_t word11, void *data, uint32_t length,
                      uint32_t milliseconds) {
    struct nvme_admin_cmd command = {
        .opcode = opcode,
        .nsid = namespace_id,
        .addr = (uint64_t)(uintptr_t)data,
        .data_len = length,
        .cdw10 = word10,
        .cdw11 = word11,
        .timeout_ms = milliseconds,
    };
    return ioctl(descriptor, NVME_IOCTL_ADMIN_CMD, &command);
}

int clinux_mmc(int descriptor, uint32_t opcode, uint32_t argument, uint32_t flags, int writes, void *data, uint32_t length,
               uint32_t *response, uint32_t milliseconds) {
    struct mmc_ioc_cmd command = {
        .write_flag = writes,
        .opcode = opcode,
        .arg = argument,
        .flags = flags,
        .blksz = length,
        .blocks = length != 0,
        .cmd_timeout_ms = milliseconds,
        .data_ptr = (uint64_t)(uintptr_t)data,
    };
    int result = ioctl(descriptor, MMC_IOC_CMD, &command);
    *response = command.response[0];
    return result;
}
