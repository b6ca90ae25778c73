"""MFA devices. A virtual one is an entity of its own: deactivated, it is still there and its name is still taken.

Codes are not computed; two equal ones are wrong, since IAM wants two consecutive ones.
"""

from dataclasses import replace

from .context import Answer, Context, tag_list
from .errors import AwsError, over_quota
from .model import VirtualDevice, with_item, without_item
from .paging import page_items, page_keys
from .shapes import Params
from .tags import merged, without
from .users import to_user


def create_virtual_mfa_device(ctx: Context, params: Params) -> Answer:
    serial = ctx.arn("mfa", params.get("Path", "/"), params["VirtualMFADeviceName"])
    if ctx.state.devices.get(serial) is not None:
        raise AwsError("EntityAlreadyExists", "MFADevice entity at the same path and name already exists.")
    device = VirtualDevice(serial, ctx.ids.base32(), merged(ctx, {}, params.get("Tags", ())))
    ctx.state.devices.put(serial, device)
    told: Answer = {
        "SerialNumber": serial,
        "Base32StringSeed": device.seed.encode(),
        # A picture would be of no use to a program; what it would say is.
        "QRCodePNG": f"otpauth://totp/{params['VirtualMFADeviceName']}?secret={device.seed}".encode(),
    }
    if device.tags:
        told["Tags"] = tag_list(device.tags)
    return {"VirtualMFADevice": told}


def enable_mfa_device(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    serial = params["SerialNumber"]
    device = ctx.state.devices.get(serial)
    if serial.startswith("arn:") and device is None:
        raise AwsError("NoSuchEntity", f"VirtualMFADevice with serial number {serial} does not exist.")
    if _is_in_use(ctx, serial):
        raise AwsError("EntityAlreadyExists", "MFA Device already in use.")
    if params["AuthenticationCode1"] == params["AuthenticationCode2"]:
        raise AwsError("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    if len(user.mfa) >= ctx.quotas.mfa_devices_per_user:
        raise over_quota("MFADevicesPerUser", ctx.quotas.mfa_devices_per_user)
    ctx.put_user(replace(user, mfa=with_item(user.mfa, serial, ctx.date)))
    if device is not None:
        ctx.state.devices.put(serial, replace(device, user_id=user.user_id, enabled=ctx.date))
    return {}


def deactivate_mfa_device(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    serial = params["SerialNumber"]
    if serial not in user.mfa:
        raise AwsError("NoSuchEntity", f"MFA Device with serial number {serial} is not associated with {user.name}.")
    ctx.put_user(replace(user, mfa=without_item(user.mfa, serial)))
    device = ctx.state.devices.get(serial)
    if device is not None:
        ctx.state.devices.put(serial, replace(device, user_id=None, enabled=None))
    return {}


def delete_virtual_mfa_device(ctx: Context, params: Params) -> Answer:
    device = ctx.state.devices.get(params["SerialNumber"])
    if device is None:
        raise AwsError("NoSuchEntity", f"VirtualMFADevice with serial number {params['SerialNumber']} does not exist.")
    if device.user_id is not None:
        raise AwsError("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
    ctx.state.devices.remove(device.serial)
    return {}


def list_mfa_devices(ctx: Context, params: Params) -> Answer:
    user = ctx.target(params)
    page, rest = page_keys(ctx, params, sorted(user.mfa))
    devices = [{"UserName": user.name, "SerialNumber": serial, "EnableDate": user.mfa[serial]} for serial in page]
    return {"MFADevices": devices, **rest}


def list_virtual_mfa_devices(ctx: Context, params: Params) -> Answer:
    wanted = params.get("AssignmentStatus", "Any")
    found: dict[str, VirtualDevice] = {}
    for serial in ctx.state.devices.ordered(ctx.at):
        device = ctx.state.devices.get(serial, ctx.at)
        if device is not None and wanted in ("Any", "Unassigned" if device.user_id is None else "Assigned"):
            found[serial] = device
    page, rest = page_items(ctx, params, found)
    return {"VirtualMFADevices": [_to_device(ctx, device) for device in page], **rest}


def get_mfa_device(ctx: Context, params: Params) -> Answer:
    serial = params["SerialNumber"]
    name = params.get("UserName")
    owners = ctx.users() if name is None else iter([ctx.user(name)])
    user = next((one for one in owners if serial in one.mfa), None)
    if user is None:
        raise AwsError("NoSuchEntity", f"MFA Device with serial number {serial} cannot be found.")
    return {"UserName": user.name, "SerialNumber": serial, "EnableDate": user.mfa[serial]}


def resync_mfa_device(ctx: Context, params: Params) -> Answer:
    user = ctx.user(params["UserName"])
    serial = params["SerialNumber"]
    if serial not in user.mfa:
        raise AwsError("NoSuchEntity", f"MFA Device with serial number {serial} is not associated with {user.name}.")
    if params["AuthenticationCode1"] == params["AuthenticationCode2"]:
        raise AwsError("InvalidAuthenticationCode", "Authentication code for device is not valid.")
    return {}


def tag_mfa_device(ctx: Context, params: Params) -> Answer:
    device = _virtual(ctx, params)
    ctx.state.devices.put(device.serial, replace(device, tags=merged(ctx, device.tags, params["Tags"])))
    return {}


def untag_mfa_device(ctx: Context, params: Params) -> Answer:
    device = _virtual(ctx, params)
    ctx.state.devices.put(device.serial, replace(device, tags=without(device.tags, params["TagKeys"])))
    return {}


def list_mfa_device_tags(ctx: Context, params: Params) -> Answer:
    tags, rest = page_items(ctx, params, {tag["Key"]: tag for tag in tag_list(_virtual(ctx, params).tags)})
    return {"Tags": tags, **rest}


def _virtual(ctx: Context, params: Params) -> VirtualDevice:
    device = ctx.state.devices.get(params["SerialNumber"], ctx.at)
    if device is None:
        raise AwsError("NoSuchEntity", f"VirtualMFADevice with serial number {params['SerialNumber']} does not exist.")
    return device


def _is_in_use(ctx: Context, serial: str) -> bool:
    device = ctx.state.devices.get(serial)
    if device is not None:
        return device.user_id is not None
    return any(serial in user.mfa for user in ctx.users())


def _to_device(ctx: Context, device: VirtualDevice) -> Answer:
    told: Answer = {"SerialNumber": device.serial}
    user = ctx.state.users.get(device.user_id, ctx.at) if device.user_id is not None else None
    if user is not None:
        told["User"] = to_user(ctx, user)
        told["EnableDate"] = device.enabled
    if device.tags:
        told["Tags"] = tag_list(device.tags)
    return told
