//! What the frames say about the link.

use super::Page;
use super::capture::{LinkSeen, is_lines};

pub(super) fn framing(page: &mut Page, link: &LinkSeen, texts: &[Vec<u8>]) {
    if link.frames > 0 {
        page.comment(&format!(
            "Frames: {}; with ETB at the end (the record goes on in the next one): {}; ENQ: {}.",
            link.frames, link.intermediate, link.enq
        ));
        page.line("framing = \"lis01\"");
        return;
    }
    page.line("framing = \"lis01\"");
    let lines = if texts.iter().any(|text| is_lines(text)) {
        " Its lines end with LF alone, as in a file that a program wrote."
    } else {
        ""
    };
    page.ask(&format!(
        "the capture has no frames (STX).{lines} If the instrument really sends records without ENQ and STX, write \
         framing = \"records\": such a line is never answered. If the file is a log or an export, leave it."
    ));
}

pub(super) fn link(page: &mut Page, link: &LinkSeen) {
    if link.frames == 0 {
        return;
    }
    page.table("link");
    let all = link.frames;
    match (link.checksum_good, link.checksum_bad, link.checksum_absent) {
        (good, 0, 0) => page.comment(&format!("Checksums: {good} of {all} are right.")),
        (0, 0, absent) => {
            page.comment(&format!("No frame ({absent}) has a checksum."));
            page.line("checksum = \"absent\"");
        }
        (0, bad, _) => {
            page.line("checksum = \"unchecked\"");
            page.ask(&format!(
                "no checksum of {bad} is right. Either the capture was changed, or the instrument computes it in \
                 another way, and damage on the line will not be noticed."
            ));
        }
        (good, bad, absent) => page.ask(&format!(
            "of {all} checksums {good} are right, {bad} are wrong and {absent} are missing. Wrong ones are line \
             trouble or a capture that was edited; live they get a NAK and the frame comes again."
        )),
    }
    if link.out_of_order > 0 {
        page.comment(&format!(
            "{} of {all} frame numbers do not follow the one before (or are not 1 after ENQ).",
            link.out_of_order
        ));
        page.line("frame_numbers = \"any\"");
    }
    if link.enq == 0 {
        page.comment("No ENQ is in the capture. If the instrument sends none: establishment = \"optional\".");
    }
}
