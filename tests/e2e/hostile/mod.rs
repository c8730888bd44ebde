//! Clients that mean harm, or are broken so that it comes to the same. Each ends by the way that its test names, and honest
//! clients of the same server notice nothing.

mod answers;
mod browsers;
mod flood;
mod floods;
mod honest;
mod http1;
mod mix;
mod silence;
mod windows;
